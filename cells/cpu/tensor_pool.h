// Memory for large tensors on the CPU, kept for the next call: fresh memory costs a page fault every 4 kB.
#pragma once

#include <c10/core/Allocator.h>

namespace nowcell {

/// Tensors of fewer bytes come from LibTorch's allocator.
constexpr std::size_t kPooledBytes = std::size_t{1} << 20;

/// Gives back what it gave before where a block fits. Holds at most as much unused memory as tensors of it have used at
/// once. Safe from any thread; seen by LibTorch's memory profiler.
c10::Allocator& tensor_pool();

}  // namespace nowcell
