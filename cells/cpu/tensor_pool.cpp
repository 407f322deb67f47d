#include "cells/cpu/tensor_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <new>

namespace nowcell {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

struct Block {
    void* memory;
    std::size_t bytes;
    std::size_t asked = 0;  // by the tensor that has it
};

class Pool : public c10::Allocator {
 public:
    c10::DataPtr allocate(std::size_t bytes) override {
        const c10::Device device(c10::kCPU);
        if (bytes == 0) return {nullptr, device};
        auto block = std::make_unique<Block>(take(bytes));
        block->asked = bytes;
        report(*block, static_cast<std::int64_t>(bytes));
        void* const memory = block->memory;
        return {memory, block.release(), &Pool::give_back, device};
    }
    void copy_data(void* to, const void* from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }

 private:
    static Pool& self() { return static_cast<Pool&>(tensor_pool()); }

    static void report(const Block& block, std::int64_t change) {
        if (c10::memoryProfilingEnabled()) {
            c10::reportMemoryUsageToProfiler(block.memory, change, 0, 0, c10::Device(c10::kCPU));
        }
    }

    static void give_back(void* context) {
        const std::unique_ptr<Block> block(static_cast<Block*>(context));
        report(*block, -static_cast<std::int64_t>(block->asked));
        self().keep(*block);
    }

    // The smallest unused block that is large enough and not much too large.
    Block take(std::size_t bytes) {
        {
            const std::lock_guard lock(mutex_);
            auto best = unused_.end();
            for (auto b = unused_.begin(); b != unused_.end(); ++b) {
                if (b->bytes < bytes || b->bytes > bytes + bytes / 4) continue;
                if (best == unused_.end() || b->bytes < best->bytes) best = b;
            }
            if (best != unused_.end()) {
                const Block block = *best;
                unused_.erase(best);
                unused_bytes_ -= block.bytes;
                count_in(block.bytes);
                return block;
            }
        }
        const std::size_t whole = (bytes + kHugePage - 1) / kHugePage * kHugePage;
        const std::size_t size = bytes >= kHugePage ? whole : bytes;
        void* memory = nullptr;
        if (posix_memalign(&memory, bytes >= kHugePage ? kHugePage : 64, size) != 0) throw std::bad_alloc();
        if (bytes >= kHugePage) madvise(memory, size, MADV_HUGEPAGE);  // a wish: failing is fine
        const std::lock_guard lock(mutex_);
        count_in(size);
        return {memory, size};
    }
    void count_in(std::size_t bytes) {
        used_ += bytes;
        most_used_ = std::max(most_used_, used_);
    }

    void keep(const Block& block) {
        const std::lock_guard lock(mutex_);
        used_ -= block.bytes;
        unused_.push_front(block);
        unused_bytes_ += block.bytes;
        while (unused_bytes_ > most_used_) {
            unused_bytes_ -= unused_.back().bytes;
            std::free(unused_.back().memory);
            unused_.pop_back();
        }
    }

    std::mutex mutex_;
    std::list<Block> unused_;  // given back last first
    std::size_t used_ = 0, unused_bytes_ = 0, most_used_ = 0;
};

}  // namespace

c10::Allocator& tensor_pool() {
    static auto* const pool = new Pool();  // outlives tensors that end after main
    return *pool;
}

}  // namespace nowcell
