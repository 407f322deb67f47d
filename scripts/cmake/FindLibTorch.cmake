# Finds LibTorch without its own TorchConfig.cmake, which stops when a CUDA build meets a machine without a CUDA toolkit.
#
# Search order: Torch_DIR, CMAKE_PREFIX_PATH (official zip, conda, a Python installation), with NOWCELL_ONLY the PyTorch
# of python3, then what scripts/setup.sh unpacked into $NOWCELL_DEPS. Whatever the user names wins, and is an error if it does not fit.
#
# Target:    LibTorch::cpu            torch_cpu + c10, headers as SYSTEM
#            LibTorch::openmp         the OpenMP runtime that LibTorch uses: a second one would double the threads
# Variables: LibTorch_FOUND  LibTorch_VERSION  LibTorch_ROOT  LibTorch_LIBRARY_DIR  LibTorch_SOURCE (in words)
#            LibTorch_INCLUDE_DIRS
#            LibTorch_HAS_CUDA        libtorch_cuda.so and the NVIDIA libraries it loads are there
#            LibTorch_PYTHONPATH      folder to put on PYTHONPATH for `import torch`; empty if it has no Python part

set(LibTorch_OLDEST 2.11.0)
foreach(variable ROOT SOURCE VERSION LIBRARY_DIR INCLUDE_DIRS PYTHONPATH)
    set(LibTorch_${variable} "")
endforeach()
set(LibTorch_HAS_CUDA FALSE)
set(_libtorch_reason "")

# A LibTorch folder holds include/ATen and lib/libtorch_cpu.so, in the zip, the wheel and conda alike.
macro(_libtorch_try source)
    foreach(_candidate IN ITEMS ${ARGN})
        if(NOT LibTorch_ROOT AND EXISTS "${_candidate}/lib/libtorch_cpu.so" AND EXISTS "${_candidate}/include/ATen")
            get_filename_component(LibTorch_ROOT "${_candidate}" REALPATH)
            set(LibTorch_SOURCE "${source}")
        endif()
    endforeach()
endmacro()

foreach(_dir IN ITEMS "${Torch_DIR}" "$ENV{Torch_DIR}")
    if(_dir AND NOT _dir MATCHES "-NOTFOUND$")
        _libtorch_try("Torch_DIR" "${_dir}/../../.." "${_dir}" "${_dir}/torch")
        if(NOT LibTorch_ROOT)
            string(APPEND _libtorch_reason "Torch_DIR is ${_dir}, but no LibTorch with include/ and lib/ lies around it. ")
        endif()
    endif()
endforeach()

set(_libtorch_prefixes "$ENV{CMAKE_PREFIX_PATH}")
string(REPLACE ":" ";" _libtorch_prefixes "${_libtorch_prefixes}")
foreach(_dir IN LISTS CMAKE_PREFIX_PATH _libtorch_prefixes)
    if(_dir)
        file(GLOB _python_torch "${_dir}/lib/python3.*/site-packages/torch")
        _libtorch_try("CMAKE_PREFIX_PATH" "${_dir}" "${_dir}/torch" ${_python_torch} "${_dir}/../..")
    endif()
endforeach()

if(NOWCELL_ONLY AND NOT LibTorch_ROOT AND NOT _libtorch_reason)
    find_program(NOWCELL_PYTHON python3)
    if(NOWCELL_PYTHON)
        # Found, not imported: a PyTorch whose CUDA libraries do not load is one to build against all the same.
        execute_process(COMMAND ${NOWCELL_PYTHON} -c
            "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
            OUTPUT_VARIABLE _python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
        _libtorch_try("PyTorch of ${NOWCELL_PYTHON}" "${_python_torch}")
    endif()
endif()

if(NOT LibTorch_ROOT AND NOT _libtorch_reason)
    if(DEFINED ENV{NOWCELL_DEPS} AND NOT "$ENV{NOWCELL_DEPS}" STREQUAL "")
        set(_libtorch_deps "$ENV{NOWCELL_DEPS}")
    elseif(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
        set(_libtorch_deps "$ENV{XDG_CACHE_HOME}/nowcell")
    else()
        set(_libtorch_deps "$ENV{HOME}/.cache/nowcell")
    endif()
    file(GLOB _libtorch_unpacked "${_libtorch_deps}/libtorch-*/torch")
    list(SORT _libtorch_unpacked COMPARE NATURAL ORDER DESCENDING)
    _libtorch_try("wheel unpacked by scripts/setup.sh" ${_libtorch_unpacked})
    if(NOT LibTorch_ROOT)
        set(_libtorch_reason "LibTorch not found in ${_libtorch_deps}. Run scripts/setup.sh, or name your own: "
                             "-DTorch_DIR=<libtorch>/share/cmake/Torch. ")
        string(CONCAT _libtorch_reason ${_libtorch_reason})
    endif()
endif()

if(LibTorch_ROOT)
    set(LibTorch_LIBRARY_DIR "${LibTorch_ROOT}/lib")
    set(LibTorch_INCLUDE_DIRS "${LibTorch_ROOT}/include" "${LibTorch_ROOT}/include/torch/csrc/api/include")

    foreach(_header IN ITEMS torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
        if(NOT LibTorch_VERSION AND EXISTS "${LibTorch_ROOT}/include/${_header}")
            file(STRINGS "${LibTorch_ROOT}/include/${_header}" _lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
            string(REGEX MATCHALL "[0-9]+" _numbers "${_lines}")
            string(REPLACE ";" "." LibTorch_VERSION "${_numbers}")
        endif()
    endforeach()
    if(NOT LibTorch_VERSION AND EXISTS "${LibTorch_ROOT}/build-version")
        file(STRINGS "${LibTorch_ROOT}/build-version" _lines LIMIT_COUNT 1)
        string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LibTorch_VERSION "${_lines}")
    endif()

    set(_torch_config "${LibTorch_ROOT}/share/cmake/Torch/TorchConfig.cmake")
    set(_old_abi "")
    if(EXISTS "${_torch_config}")
        file(STRINGS "${_torch_config}" _old_abi REGEX "_GLIBCXX_USE_CXX11_ABI=0")
    endif()

    if(NOT LibTorch_VERSION)
        set(_libtorch_reason "LibTorch in ${LibTorch_ROOT} does not say its version (no torch/version.h). ")
    elseif(LibTorch_VERSION VERSION_LESS LibTorch_OLDEST)
        set(_libtorch_reason "LibTorch is too old: got ${LibTorch_VERSION} in ${LibTorch_ROOT}, expected ${LibTorch_OLDEST} or newer. ")
    elseif(_old_abi)
        set(_libtorch_reason "LibTorch in ${LibTorch_ROOT} was built with _GLIBCXX_USE_CXX11_ABI=0, expected 1 (the 'cxx11 ABI' zip or a wheel). ")
    elseif(NOT EXISTS "${LibTorch_LIBRARY_DIR}/libc10.so" OR NOT EXISTS "${LibTorch_ROOT}/include/torch/csrc/api/include/torch/torch.h")
        set(_libtorch_reason "LibTorch in ${LibTorch_ROOT} is incomplete: libc10.so or torch/torch.h is missing; scripts/setup.sh --check says more. ")
    endif()

    set(_site "${LibTorch_ROOT}/..")
    get_filename_component(_site "${_site}" ABSOLUTE)
    if(EXISTS "${LibTorch_ROOT}/__init__.py")
        set(LibTorch_PYTHONPATH "${_site}")
    endif()
    # The wheel holds libtorch_cuda.so but not the libraries it loads; the zip and conda bring them along.
    if(EXISTS "${LibTorch_LIBRARY_DIR}/libtorch_cuda.so")
        if(NOT LibTorch_PYTHONPATH OR EXISTS "${_site}/nvidia/cudnn/lib/libcudnn.so.9")
            set(LibTorch_HAS_CUDA TRUE)
        endif()
    endif()
endif()

# CMake's own message would bury the sentence below a list of variables.
string(STRIP "${_libtorch_reason}" _libtorch_reason)
if(_libtorch_reason AND LibTorch_FIND_REQUIRED)
    message(FATAL_ERROR "${_libtorch_reason}")
elseif(_libtorch_reason)
    set(LibTorch_ROOT "")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
    REQUIRED_VARS LibTorch_ROOT
    VERSION_VAR LibTorch_VERSION
    REASON_FAILURE_MESSAGE "${_libtorch_reason}")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
    # Only these two: libtorch.so and libtorch_cuda.so would make every program load the GPU libraries at start-up.
    foreach(_library c10 torch_cpu)
        add_library(LibTorch::${_library} SHARED IMPORTED)
        set_target_properties(LibTorch::${_library} PROPERTIES
            IMPORTED_LOCATION "${LibTorch_LIBRARY_DIR}/lib${_library}.so"
            IMPORTED_SONAME "lib${_library}.so"
            INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIRS}"
            INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIRS}")
    endforeach()
    set_property(TARGET LibTorch::torch_cpu PROPERTY IMPORTED_LINK_DEPENDENT_LIBRARIES LibTorch::c10)
    add_library(LibTorch::cpu INTERFACE IMPORTED)
    set_property(TARGET LibTorch::cpu PROPERTY INTERFACE_LINK_LIBRARIES LibTorch::torch_cpu LibTorch::c10)

    add_library(LibTorch::openmp INTERFACE IMPORTED)
    file(GLOB _libtorch_openmp "${LibTorch_LIBRARY_DIR}/libgomp*.so*")
    list(LENGTH _libtorch_openmp _libtorch_openmp_count)
    set_property(TARGET LibTorch::openmp PROPERTY INTERFACE_COMPILE_OPTIONS -fopenmp)
    if(_libtorch_openmp_count EQUAL 1)
        set_property(TARGET LibTorch::openmp PROPERTY INTERFACE_LINK_LIBRARIES "${_libtorch_openmp}")
    else()
        set_property(TARGET LibTorch::openmp PROPERTY INTERFACE_LINK_OPTIONS -fopenmp)
    endif()

    # Installed programs keep the path of a LibTorch that lives outside the installation.
    if(NOT DEFINED CMAKE_INSTALL_RPATH_USE_LINK_PATH)
        set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
    endif()
endif()
