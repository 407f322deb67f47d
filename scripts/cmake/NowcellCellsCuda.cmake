# libnowcell_cells_cuda.so: the kernels behind the nowcell:: operators. Loaded at run time, linked by nobody.
set(NOWCELL_WITH_CELLS_CUDA FALSE)
if(NOT NOWCELL_WITH_CUDA)
    return()
endif()
if(NOT LibTorch_HAS_CUDA OR NOT CUDNN_INCLUDE_DIR)
    message(STATUS "CUDA cells: not built, they need a LibTorch with CUDA and cuDNN's headers (scripts/setup.sh --cuda)")
    return()
endif()
set(NOWCELL_WITH_CELLS_CUDA TRUE)
message(STATUS "CUDA cells: built for this LibTorch")

file(GLOB nowcell_glue_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cells/cuda/glue/*.cpp)
add_library(nowcell_cells_cuda SHARED ${nowcell_glue_sources})
target_include_directories(nowcell_cells_cuda SYSTEM PRIVATE ${CUDNN_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(nowcell_cells_cuda PRIVATE nowcell_cuda_kernels nowcell_cells ${CMAKE_DL_LIBS} CUDA::cudart)
# Nothing here names a symbol of torch's CUDA library that the linker must see, yet it has to be loaded with this one.
target_link_libraries(nowcell_cells_cuda PRIVATE
    -Wl,--no-as-needed ${LibTorch_LIBRARY_DIR}/libtorch_cuda.so ${LibTorch_LIBRARY_DIR}/libc10_cuda.so -Wl,--as-needed)
# Libraries of NVIDIA's wheels, which libtorch_cuda.so finds by itself and the linker does not.
file(GLOB nowcell_nvidia_folders "${LibTorch_ROOT}/../nvidia/*/lib")
target_link_options(nowcell_cells_cuda PRIVATE -Wl,--no-undefined -Wl,--allow-shlib-undefined)
set_target_properties(nowcell_cells_cuda PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    BUILD_RPATH "${LibTorch_LIBRARY_DIR};${nowcell_nvidia_folders}"
    INSTALL_RPATH "$ORIGIN;${LibTorch_LIBRARY_DIR};${nowcell_nvidia_folders}")
install(TARGETS nowcell_cells_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
