# Finds cuDNN's header and library: beside the CUDA Toolkit, in the system, or in the wheels beside LibTorch.
#
# Target:    CUDNN::cudnn
# Variables: CUDNN_FOUND  CUDNN_VERSION  CUDNN_INCLUDE_DIR  CUDNN_LIBRARY

# LibTorch's own copy first: a program that loads two versions of cuDNN fails at its first convolution.
set(_cudnn_hints "${LibTorch_PYTHONPATH}/nvidia/cudnn" "${LibTorch_ROOT}" "${CUDNN_ROOT}" "$ENV{CUDNN_ROOT}"
    "${CUDAToolkit_TARGET_DIR}" "${CUDAToolkit_LIBRARY_ROOT}")
list(FILTER _cudnn_hints EXCLUDE REGEX "^(/nvidia/cudnn)?$")
find_path(CUDNN_INCLUDE_DIR cudnn_version.h HINTS ${_cudnn_hints} PATH_SUFFIXES include)
# The wheel has no development link, only the versioned name.
find_library(CUDNN_LIBRARY NAMES libcudnn.so.9 cudnn HINTS ${_cudnn_hints} PATH_SUFFIXES lib lib64)
mark_as_advanced(CUDNN_INCLUDE_DIR CUDNN_LIBRARY)

set(CUDNN_VERSION "")
if(CUDNN_INCLUDE_DIR)
    file(STRINGS "${CUDNN_INCLUDE_DIR}/cudnn_version.h" _cudnn_lines REGEX "define CUDNN_(MAJOR|MINOR|PATCHLEVEL) +[0-9]+")
    string(REGEX MATCHALL "[0-9]+" _cudnn_numbers "${_cudnn_lines}")
    string(REPLACE ";" "." CUDNN_VERSION "${_cudnn_numbers}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CUDNN REQUIRED_VARS CUDNN_INCLUDE_DIR CUDNN_LIBRARY VERSION_VAR CUDNN_VERSION)

if(CUDNN_FOUND AND NOT TARGET CUDNN::cudnn)
    add_library(CUDNN::cudnn SHARED IMPORTED)
    set_target_properties(CUDNN::cudnn PROPERTIES
        IMPORTED_LOCATION "${CUDNN_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${CUDNN_INCLUDE_DIR}"
        INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${CUDNN_INCLUDE_DIR}")
endif()
