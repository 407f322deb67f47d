#include "data/reader/shared_memory.h"

#include "src/error.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nowcell {
namespace {

constexpr std::size_t kGrain = std::size_t{1} << 16;
constexpr std::size_t kMostIdle = std::size_t{64} << 20;

[[noreturn]] void fail(const char* step) {
    throw Error(ExitCode::device, std::string("no shared memory for frames: ") + step + ": " + std::strerror(errno), "",
                "free memory, or read in this process: data.trust = \"direct\"");
}

}  // namespace

std::shared_ptr<SharedMemory> SharedMemory::create() {
    const int descriptor = ::memfd_create("nowcell-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) fail("memfd_create");
    // A reader that was taken over could otherwise cut the file short under our feet.
    if (::fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK) != 0) fail("sealing");
    return std::shared_ptr<SharedMemory>(new SharedMemory(descriptor));
}

SharedMemory::~SharedMemory() {
    for (const auto& [size, block] : idle_) ::munmap(block.data, block.bytes);
    ::close(descriptor_);
}

std::shared_ptr<const SharedMemory::Block> SharedMemory::take(std::size_t bytes) {
    bytes = (std::max<std::size_t>(1, bytes) + kGrain - 1) / kGrain * kGrain;
    const std::lock_guard<std::mutex> guard(mutex_);
    Block block;
    const auto found = idle_.lower_bound(bytes);
    if (found != idle_.end() && found->first <= 2 * bytes) {
        block = found->second;
        idle_.erase(found);
        idle_bytes_ -= block.bytes;
    } else {
        block.position = end_;
        block.bytes = bytes;
        if (::ftruncate(descriptor_, end_ + static_cast<std::int64_t>(bytes)) != 0) fail("growing");
        void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, end_);
        if (data == MAP_FAILED) fail("mapping");
        block.data = static_cast<std::byte*>(data);
        end_ += static_cast<std::int64_t>(bytes);
    }
    return {new Block(block), [self = shared_from_this()](const Block* used) {
                self->give_back(*used);
                delete used;
            }};
}

void SharedMemory::give_back(const Block& block) {
    const std::lock_guard<std::mutex> guard(mutex_);
    idle_.emplace(block.bytes, block);
    idle_bytes_ += block.bytes;
    while (idle_bytes_ > kMostIdle && idle_.size() > 2) {  // two of any size stay: one is filled while one is used
        const auto largest = std::prev(idle_.end());
        idle_bytes_ -= largest->first;
        drop(largest->second);
        idle_.erase(largest);
    }
}

// Its place in the file stays empty, which costs nothing.
void SharedMemory::drop(const Block& block) const {
    ::munmap(block.data, block.bytes);
    ::fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, block.position,
                static_cast<off_t>(block.bytes));
}

}  // namespace nowcell
