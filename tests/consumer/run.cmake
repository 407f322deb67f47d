# Installs BUILD into a fresh prefix, builds SOURCE against it and runs it.
set(prefix ${BUILD}/consumer/prefix)
file(REMOVE_RECURSE ${BUILD}/consumer)

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "failed: ${ARGN}\n${output}")
    endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${BUILD}/consumer/build -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${BUILD}/consumer/build)
run(${BUILD}/consumer/build/consumer)
run(${BUILD}/consumer/build/cells_only)
# The installed program finds its library without any environment.
run(${prefix}/bin/nowcell data make bouncing-digits --output ${BUILD}/consumer/d.h5 --count 2 --size 16)
run(${prefix}/bin/nowcell data info ${BUILD}/consumer/d.h5)
