// Counts the bytes of tensors on the CPU.
#pragma once

#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <memory>

namespace nowcell {

/// While it lives: the most bytes that tensors of this thread held at once, beyond those that were there before. Counts
/// what LibTorch's allocator hands out, not the scratch memory inside its convolution library.
class AllocationMeter {
 public:
    AllocationMeter();

    std::int64_t peak_bytes() const;

 private:
    class Reporter;
    std::shared_ptr<Reporter> reporter_;
    c10::DebugInfoGuard guard_;
};

}  // namespace nowcell
