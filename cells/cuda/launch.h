// From a plan to the runtime.
#pragma once

#include "cells/cuda/planner.h"

#include <cuda_runtime_api.h>

namespace nowcell::cuda {

/// Of the current device; asked once for each.
cudaError_t device_limits(DeviceLimits& limits);

/// kernel: a __global__ function of one argument. Returns the error of the launch, not of the kernel.
template <class Argument>
cudaError_t launch(void (*kernel)(Argument), const Launch& plan, const Argument& argument, cudaStream_t stream) {
    void* arguments[] = {const_cast<Argument*>(&argument)};
    return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(plan.grid_x, plan.grid_y, plan.grid_z),
                            dim3(plan.block), arguments, plan.shared_bytes, stream);
}

}  // namespace nowcell::cuda
