#include "src/allocation_meter.h"

#include <c10/core/Allocator.h>

#include <algorithm>
#include <mutex>

namespace nowcell {

class AllocationMeter::Reporter : public c10::MemoryReportingInfoBase {
 public:
    void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
        const std::lock_guard lock(mutex_);
        held_ += size;
        peak_ = std::max(peak_, held_);
    }

    bool memoryProfilingEnabled() const override { return true; }

    std::int64_t peak() const {
        const std::lock_guard lock(mutex_);
        return peak_;
    }

 private:
    mutable std::mutex mutex_;
    std::int64_t held_ = 0;
    std::int64_t peak_ = 0;
};

AllocationMeter::AllocationMeter()
    : reporter_(std::make_shared<Reporter>()), guard_(c10::DebugInfoKind::PROFILER_STATE, reporter_) {}

std::int64_t AllocationMeter::peak_bytes() const { return reporter_->peak(); }

}  // namespace nowcell
