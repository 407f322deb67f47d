# The CUDA kernels: a static library of machine code for the GPUs in use and of PTX for those to come. No torch.
if(NOT NOWCELL_WITH_CUDA)
    return()
endif()

# The toolkit that was found, not another nvcc that stands first on PATH.
set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE} CACHE FILEPATH "nvcc")
set(nowcell_architectures 80-real 86-real 89-real 90-real)
if(CUDAToolkit_VERSION VERSION_GREATER_EQUAL 12.8)
    list(APPEND nowcell_architectures 100-real 120-real 120-virtual)
else()
    list(APPEND nowcell_architectures 90-virtual)
endif()
set(CMAKE_CUDA_ARCHITECTURES "${nowcell_architectures}" CACHE STRING "GPUs to compile for; `native` is this machine's")
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_FLAGS_RELEASE "-O2 -DNDEBUG")
enable_language(CUDA)
message(STATUS "CUDA kernels: for ${CMAKE_CUDA_ARCHITECTURES}")

# Warnings of nvcc, of the host's compiler and of ptxas; a spill, or any use of a stack, stops the build.
set(nowcell_cuda_warnings -Wmissing-launch-bounds -Xcompiler=-Wall,-Wextra)
if(NOWCELL_WERROR)
    list(APPEND nowcell_cuda_warnings -Werror=all-warnings -Xcompiler=-Werror
        -Xptxas=-warn-spills,-warn-lmem-usage,-Werror)
endif()

# Without cells/cuda/glue, which needs a torch.
file(GLOB nowcell_kernel_sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/cells/cuda/*.cu ${PROJECT_SOURCE_DIR}/cells/cuda/*.cpp)

# A target of files with kernels: their flags, and the runtime as a shared library, which torch has loaded already.
function(nowcell_cuda_target target)
    target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
    target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${CUDAToolkit_INCLUDE_DIRS}>)
    target_compile_options(${target} PRIVATE
        $<$<COMPILE_LANGUAGE:CUDA>:${nowcell_cuda_warnings}>
        $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wconversion;$<$<BOOL:${NOWCELL_WERROR}>:-Werror>>)
    set_target_properties(${target} PROPERTIES CUDA_RUNTIME_LIBRARY Shared POSITION_INDEPENDENT_CODE ON)
endfunction()

# Not compressed: tests/gpu/resources.py reads the machine code in it.
add_library(nowcell_cuda_kernels STATIC ${nowcell_kernel_sources})
nowcell_cuda_target(nowcell_cuda_kernels)
target_compile_options(nowcell_cuda_kernels PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--no-compress>)
