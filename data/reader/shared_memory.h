// Memory that the program and its readers both see: frames go from one to the other without a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace nowcell {

/// One anonymous file in memory, given out in blocks. Thread-safe. Blocks outlive it: the last one closes the file.
class SharedMemory : public std::enable_shared_from_this<SharedMemory> {
 public:
    /// Throws Error(device) when the system gives no such memory.
    static std::shared_ptr<SharedMemory> create();
    ~SharedMemory();

    /// A block in use, given back when it is destroyed.
    struct Block {
        std::int64_t position = 0;  ///< in the file
        std::size_t bytes = 0;      ///< rounded up
        std::byte* data = nullptr;
    };

    /// At least that many bytes, 64-byte aligned, with any content. Blocks that were given back are used again.
    /// Throws Error(device).
    std::shared_ptr<const Block> take(std::size_t bytes);

    int descriptor() const { return descriptor_; }

 private:
    explicit SharedMemory(int descriptor) : descriptor_(descriptor) {}
    void give_back(const Block& block);
    void drop(const Block& block) const;

    int descriptor_;
    std::mutex mutex_;
    std::int64_t end_ = 0;
    std::size_t idle_bytes_ = 0;
    std::multimap<std::size_t, Block> idle_;  // by size
};

}  // namespace nowcell
