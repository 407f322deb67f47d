# Installation, and the package that find_package(Nowcell) finds: Nowcell::nowcell, Nowcell::cells.
include(CMakePackageConfigHelpers)

set(nowcell_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Nowcell)
set(nowcell_torch_rpath ${LibTorch_LIBRARY_DIR})
set_target_properties(nowcell nowcell_cells PROPERTIES INSTALL_RPATH "$ORIGIN;${nowcell_torch_rpath}")
set_target_properties(nowcell_program PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${nowcell_torch_rpath}"
    BUILD_RPATH "$ORIGIN/../lib")
set_target_properties(nowcell_cells PROPERTIES EXPORT_NAME cells)

target_include_directories(nowcell_cells INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/nowcell>)
target_include_directories(nowcell INTERFACE
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/nowcell>)
install(TARGETS nowcell nowcell_cells nowcell_program nowcell_reader EXPORT NowcellTargets
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES cells/python/nowcell_cells.py DESTINATION ${CMAKE_INSTALL_LIBDIR})  # beside the library it loads
foreach(folder cells src data predict train)
    install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nowcell FILES_MATCHING PATTERN "*.h")
endforeach()
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/nowcell)
install(EXPORT NowcellTargets NAMESPACE Nowcell:: DESTINATION ${nowcell_package_dir})
configure_package_config_file(scripts/cmake/NowcellConfig.cmake.in ${CMAKE_BINARY_DIR}/NowcellConfig.cmake
    INSTALL_DESTINATION ${nowcell_package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/NowcellConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/NowcellConfig.cmake ${CMAKE_BINARY_DIR}/NowcellConfigVersion.cmake
    scripts/cmake/FindLibTorch.cmake DESTINATION ${nowcell_package_dir})
