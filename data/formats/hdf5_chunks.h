// Compressed chunks decoded by ourselves: libdeflate is two to three times as fast as the zlib inside libhdf5.
#pragma once

#include "data/formats/hdf5_handle.h"

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct libdeflate_decompressor;

namespace nowcell {

/// Decoded chunks of the datasets of one file, those used last; never fewer than one.
class ChunkCache {
 public:
    using Key = std::pair<const void*, std::uint64_t>;  ///< whose chunk, and its number

    explicit ChunkCache(std::int64_t limit) : limit_(limit) {}

    /// nullptr: not there. Valid until the next call of add.
    const std::vector<char>* find(const Key& key);

    /// A place for a chunk of that many bytes.
    std::vector<char>& add(const Key& key, std::size_t bytes);

    void drop(const Key& key);
    void clear();

 private:
    using Entry = std::pair<Key, std::vector<char>>;

    std::int64_t limit_;
    std::int64_t used_ = 0;
    std::list<Entry> entries_;  ///< the last one used first
    std::map<Key, std::list<Entry>::iterator> places_;
};

/// Reads blocks of a dataset whose filters are among shuffle, deflate and Fletcher32, each at most once.
class Hdf5Chunks {
 public:
    /// nullptr: a dataset for H5Dread.
    static std::unique_ptr<Hdf5Chunks> of(hid_t set, const Hdf5Description& data);

    /// Copies a block into `out` in C order, numbers as they are stored. Throws Error(data) with `path` on a chunk that
    /// is damaged: wrong checksum, wrong size, broken stream.
    void read(hid_t set, const std::vector<std::int64_t>& start, const std::vector<std::int64_t>& count, char* out,
              ChunkCache& cache, const std::string& path);

 private:
    struct Filter {
        H5Z_filter_t id;
        std::size_t width;  ///< of shuffle
    };

    Hdf5Chunks() = default;
    const std::vector<char>& chunk(hid_t set, const std::vector<std::int64_t>& position, ChunkCache& cache,
                                   const std::string& path);
    void load(hid_t set, const std::vector<hsize_t>& offset, std::size_t bytes, std::vector<char>& out,
              const std::string& path);
    void decode(unsigned mask, std::vector<char>& out, const std::string& path);
    void inflate(std::size_t expected, const std::string& path);
    void check_sum(const std::string& path);

    std::string name_;
    std::vector<std::int64_t> shape_;
    std::vector<std::int64_t> chunk_;
    std::size_t value_bytes_ = 1;
    std::size_t chunk_bytes_ = 0;
    std::int64_t stored_bytes_ = 0;
    std::vector<Filter> filters_;
    std::shared_ptr<libdeflate_decompressor> inflater_;
    std::vector<char> raw_;
    std::vector<char> other_;
};

}  // namespace nowcell
