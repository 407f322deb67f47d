# The targets of cells/: definition, operators and engines; a library of its own, which Python loads too.
file(GLOB cells_sources CONFIGURE_DEPENDS cells/*.cpp cells/cpu/*.cpp)
list(APPEND cells_sources cells/cuda/planner.cpp)
# Kernels for processors that this one need not be; which of them run is decided at run time.
set(kernel_options -O3 -Wno-ignored-attributes -Wno-maybe-uninitialized)  # GCC 12's own vector headers warn
if(NOWCELL_SANITIZE)
    list(TRANSFORM kernel_options REPLACE -O3 -O1)  # instrumented and optimised they compile for minutes
endif()
set_source_files_properties(cells/cpu/kernels_avx2.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON
    COMPILE_OPTIONS "${kernel_options};-mavx2;-mfma")
set_source_files_properties(cells/cpu/kernels_avx512.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON
    COMPILE_OPTIONS "${kernel_options};-mavx2;-mfma;-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mprefer-vector-width=512")
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(FILTER cells_sources EXCLUDE REGEX "kernels_avx")
endif()
add_library(nowcell_cells SHARED ${cells_sources})
target_link_libraries(nowcell_cells PUBLIC $<BUILD_INTERFACE:nowcell_flags> LibTorch::cpu PRIVATE LibTorch::openmp)
target_compile_features(nowcell_cells PUBLIC cxx_std_20)

# What `bench cells` and `check` do, for `nowcell` and `nowcell-cells` alike.
file(GLOB trial_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} cells/trial/*.cpp)
list(REMOVE_ITEM trial_sources cells/trial/main.cpp)
nowcell_folder(trial SOURCES ${trial_sources} LINKS nowcell_cells)

if(NOWCELL_ONLY STREQUAL "cells")
    add_executable(nowcell_cells_program cells/trial/main.cpp)
    target_link_libraries(nowcell_cells_program PRIVATE nowcell_trial)
    set_target_properties(nowcell_cells_program PROPERTIES OUTPUT_NAME nowcell-cells)
    target_compile_definitions(nowcell_cells_program PRIVATE NOWCELL_VERSION="${PROJECT_VERSION}")
endif()
