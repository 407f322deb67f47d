# Compiles through ccache where it is installed; the presets include this at project().
# Sloppiness is what lets ccache handle the precompiled header; the base folder and no hash of the working folder let
# build/dev and build/release, which use the same flags, share their objects.
if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT DEFINED ENV{CMAKE_CXX_COMPILER_LAUNCHER})
    find_program(CCACHE_PROGRAM ccache)
    mark_as_advanced(CCACHE_PROGRAM)
    if(CCACHE_PROGRAM)
        set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
            CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
            CCACHE_BASEDIR=${CMAKE_CURRENT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
        # ccache's preprocessor sees one of nvcc's architectures and would give a stale object to a change that only
        # the others see; in depend mode it compares whole files.
        set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
        list(INSERT CMAKE_CUDA_COMPILER_LAUNCHER 3 CCACHE_DEPEND=1)
    endif()
endif()
