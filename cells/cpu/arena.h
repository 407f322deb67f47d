// Memory of the engine that lives from call to call.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace nowcell::cpu {

/// Floats at the start of a cache line, in huge pages where the system has them; not initialised. Grows, never shrinks.
class FloatBuffer {
 public:
    /// At least that many floats; what was in them is lost if it has to grow. Throws std::bad_alloc.
    float* reserve(std::size_t floats);
    float* data() const { return memory_.get(); }
    std::size_t size() const { return size_; }

 private:
    struct Free {
        void operator()(float* memory) const;
    };
    std::unique_ptr<float, Free> memory_;
    std::size_t size_ = 0;
};

/// A stack of temporaries: planned first, then placed in one buffer.
class Arena {
 public:
    /// Counts `floats` in; `*pointer` is set by place().
    void plan(float** pointer, std::size_t floats);
    void place();
    void reset() { wanted_.clear(); }
    std::size_t bytes() const { return buffer_.size() * sizeof(float); }

 private:
    struct Wanted {
        float** pointer;
        std::size_t floats;
    };
    std::vector<Wanted> wanted_;
    FloatBuffer buffer_;
};

/// An arena for one call, from a pool shared by all threads; back in the pool at the end of the scope.
class ArenaLease {
 public:
    ArenaLease();
    ~ArenaLease();
    ArenaLease(const ArenaLease&) = delete;
    ArenaLease& operator=(const ArenaLease&) = delete;
    Arena* get() const { return arena_.get(); }

 private:
    std::unique_ptr<Arena> arena_;
};

}  // namespace nowcell::cpu
