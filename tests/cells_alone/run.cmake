# Builds cells/ alone and runs its program: nothing but LibTorch may be needed.
function(run expected)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
    if(NOT result EQUAL expected)
        message(FATAL_ERROR "got ${result}, expected ${expected}: ${ARGN}\n${output}${errors}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()

# A package that is asked for would not be found, but LibTorch.
set(without -DCMAKE_DISABLE_FIND_PACKAGE_OpenCV=ON -DCMAKE_DISABLE_FIND_PACKAGE_HDF5=ON
    -DCMAKE_DISABLE_FIND_PACKAGE_Catch2=ON -DCMAKE_DISABLE_FIND_PACKAGE_fmt=ON -DCMAKE_DISABLE_FIND_PACKAGE_spdlog=ON
    -DCMAKE_DISABLE_FIND_PACKAGE_CLI11=ON -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON)
run(0 ${CMAKE_COMMAND} -S ${SOURCE} -B ${BUILD} -G Ninja -DNOWCELL_ONLY=cells -DNOWCELL_CUDA=OFF -DNOWCELL_TESTS=OFF
    -DTorch_DIR=${TORCH}/share/cmake/Torch -DCMAKE_PROJECT_INCLUDE_BEFORE=${SOURCE}/scripts/cmake/Ccache.cmake ${without})
run(0 ${CMAKE_COMMAND} --build ${BUILD})

set(program ${BUILD}/bin/nowcell-cells)
run(0 ${program} --help)
if(NOT output MATCHES "Exit codes")
    message(FATAL_ERROR "--help does not document the exit codes: ${output}")
endif()
run(0 ${program} check --device cpu)
if(NOT output MATCHES "\n[0-9]+ passed, 0 failed")
    message(FATAL_ERROR "check: no row passed, or one failed: ${output}")
endif()
run(0 ${program} bench --device cpu --config tiny --rounds 1 --threads 1 --json)
string(JSON engine GET "${output}" rows 0 engine)
string(JSON ratio GET "${output}" rows 1 ratio)
run(2 ${program} check --config tiny)
run(2 ${program} bench --config huge)
run(2 ${program} bench --threads 0)
run(2 ${program})
run(5 ${program} check --device cuda:99)
