#include "data/formats/hdf5_chunks.h"

#include "data/formats/frame_layout.h"
#include "data/formats/shuffle.h"
#include "src/error.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <cstring>

namespace nowcell {
namespace {

constexpr std::size_t kChecksumBytes = 4;

[[noreturn]] void fail(const std::string& path, const std::string& name, const std::string& why) {
    throw Error(ExitCode::data, fmt::format("cannot read {}: {} is damaged or incomplete ({})", name, path, why), "",
                "copy or download the file again; 'h5debug' and 'h5dump -H' say more");
}

// Goes through positions below `end` from `begin` on, the last dimension fastest; false when it is through.
bool advance(std::vector<std::int64_t>& position, const std::vector<std::int64_t>& begin,
             const std::vector<std::int64_t>& end) {
    for (std::size_t i = position.size(); i-- > 0;) {
        if (++position[i] < end[i]) return true;
        position[i] = begin[i];
    }
    return false;
}

// A box of values inside an array, both in C order.
struct Box {
    const std::vector<std::int64_t>& array;
    std::vector<std::int64_t> start;
};

std::int64_t offset_of(const Box& box, const std::vector<std::int64_t>& at) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < at.size(); ++i) offset = offset * box.array[i] + box.start[i] + at[i];
    return offset;
}

void copy_box(const Box& from, const char* source, const Box& into, char* target, std::vector<std::int64_t> size,
              std::size_t value_bytes) {
    // Whole inner dimensions of both are one run.
    std::size_t inner = size.size() - 1;
    auto run = static_cast<std::size_t>(size[inner]) * value_bytes;
    while (inner > 0 && size[inner] == from.array[inner] && size[inner] == into.array[inner]) {
        run *= static_cast<std::size_t>(size[--inner]);
    }
    for (std::size_t i = inner; i < size.size(); ++i) size[i] = 1;
    const std::vector<std::int64_t> begin(size.size(), 0);
    std::vector<std::int64_t> at = begin;
    do {
        const auto a = static_cast<std::size_t>(offset_of(from, at)) * value_bytes;
        const auto b = static_cast<std::size_t>(offset_of(into, at)) * value_bytes;
        std::memcpy(target + b, source + a, run);
    } while (advance(at, begin, size));
}

// Chunks that were never written: libhdf5 has the fill value.
void read_plain(hid_t set, const std::vector<hsize_t>& offset, const std::vector<std::int64_t>& shape,
                const std::vector<std::int64_t>& chunk, char* out, const std::string& path, const std::string& name) {
    std::vector<hsize_t> size(offset.size());
    for (std::size_t i = 0; i < size.size(); ++i) {
        size[i] = std::min(static_cast<hsize_t>(chunk[i]), static_cast<hsize_t>(shape[i]) - offset[i]);
    }
    const std::vector<hsize_t> sides(chunk.begin(), chunk.end());
    const std::vector<hsize_t> zero(size.size(), 0);
    const Hdf5Handle type(H5Dget_type(set), H5Tclose);
    const Hdf5Handle from(H5Dget_space(set), H5Sclose);
    const Hdf5Handle into(H5Screate_simple(static_cast<int>(sides.size()), sides.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(from.id(), H5S_SELECT_SET, offset.data(), nullptr, size.data(), nullptr) < 0 ||
        H5Sselect_hyperslab(into.id(), H5S_SELECT_SET, zero.data(), nullptr, size.data(), nullptr) < 0 ||
        H5Dread(set, type.id(), into.id(), from.id(), H5P_DEFAULT, out) < 0) {
        fail_hdf5(path, "read " + name);
    }
}

}  // namespace

const std::vector<char>* ChunkCache::find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
}

std::vector<char>& ChunkCache::add(const Key& key, std::size_t bytes) {
    const auto size = static_cast<std::int64_t>(bytes);
    std::vector<char> place;
    while (!entries_.empty() && used_ + size > limit_) {
        used_ -= static_cast<std::int64_t>(entries_.back().second.size());
        place = std::move(entries_.back().second);  // its memory is used again where it fits
        places_.erase(entries_.back().first);
        entries_.pop_back();
    }
    if (place.capacity() > 2 * bytes) place = {};
    place.resize(bytes);
    entries_.emplace_front(key, std::move(place));
    places_[key] = entries_.begin();
    used_ += size;
    return entries_.front().second;
}

void ChunkCache::drop(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    used_ -= static_cast<std::int64_t>(found->second->second.size());
    entries_.erase(found->second);
    places_.erase(found);
}

void ChunkCache::clear() {
    entries_.clear();
    places_.clear();
    used_ = 0;
}

std::unique_ptr<Hdf5Chunks> Hdf5Chunks::of(hid_t set, const Hdf5Description& data) {
    const Hdf5Handle layout(H5Dget_create_plist(set), H5Pclose);
    unsigned options = 0;
    const bool usual = !data.chunk.empty() && data.chunk.size() == data.shape.size() && data.as_stored &&
                       H5Pget_chunk_opts(layout.id(), &options) >= 0 && options == 0;
    if (!usual) return nullptr;
    std::unique_ptr<Hdf5Chunks> out(new Hdf5Chunks());
    out->name_ = data.name;
    out->shape_ = data.shape;
    out->chunk_ = data.chunk;
    out->stored_bytes_ = data.stored_bytes;
    out->value_bytes_ = size_of(data.stored);
    auto bytes = static_cast<std::int64_t>(out->value_bytes_);
    for (const std::int64_t side : data.chunk) {
        constexpr std::int64_t kMost = std::int64_t{1} << 30;
        if (side < 1 || __builtin_mul_overflow(bytes, side, &bytes) || bytes > kMost) return nullptr;
    }
    out->chunk_bytes_ = static_cast<std::size_t>(bytes);
    for (int i = 0; i < H5Pget_nfilters(layout.id()); ++i) {
        unsigned flags = 0, settings = 0, values[1] = {0};
        std::size_t count = 1;
        const H5Z_filter_t id =
            H5Pget_filter2(layout.id(), static_cast<unsigned>(i), &flags, &count, values, 0, nullptr, &settings);
        const bool known = id == H5Z_FILTER_DEFLATE || id == H5Z_FILTER_FLETCHER32 ||
                           (id == H5Z_FILTER_SHUFFLE && count == 1 && values[0] >= 1 && values[0] <= 8);
        const bool again = std::any_of(out->filters_.begin(), out->filters_.end(),
                                       [&](const Filter& filter) { return filter.id == id; });
        if (!known || again) return nullptr;
        out->filters_.push_back({id, values[0]});
    }
    if (out->filters_.empty()) return nullptr;  // libhdf5 reads those straight into the caller's memory
    out->inflater_ = {libdeflate_alloc_decompressor(), libdeflate_free_decompressor};
    return out;
}

void Hdf5Chunks::read(hid_t set, const std::vector<std::int64_t>& start, const std::vector<std::int64_t>& count,
                      char* out, ChunkCache& cache, const std::string& path) {
    const std::size_t rank = shape_.size();
    std::vector<std::int64_t> first(rank), end(rank);
    for (std::size_t i = 0; i < rank; ++i) {
        if (start[i] < 0 || count[i] < 0 || count[i] > shape_[i] - start[i]) {
            throw Error(ExitCode::data,
                        fmt::format("cannot read {} values from {} on of {} in {}: it has the shape {}",
                                    shape_text(count), shape_text(start), name_, path, shape_text(shape_)));
        }
        if (count[i] == 0) return;
        first[i] = start[i] / chunk_[i];
        end[i] = (start[i] + count[i] - 1) / chunk_[i] + 1;
    }
    std::vector<std::int64_t> position = first;
    do {
        const std::vector<char>& decoded = chunk(set, position, cache, path);
        Box from{chunk_, std::vector<std::int64_t>(rank)};
        Box into{count, std::vector<std::int64_t>(rank)};
        std::vector<std::int64_t> size(rank);
        for (std::size_t i = 0; i < rank; ++i) {
            const std::int64_t begin = position[i] * chunk_[i];
            const std::int64_t low = std::max(begin, start[i]);
            size[i] = std::min(begin + chunk_[i], start[i] + count[i]) - low;
            from.start[i] = low - begin;
            into.start[i] = low - start[i];
        }
        copy_box(from, decoded.data(), into, out, size, value_bytes_);
    } while (advance(position, first, end));
}

const std::vector<char>& Hdf5Chunks::chunk(hid_t set, const std::vector<std::int64_t>& position, ChunkCache& cache,
                                           const std::string& path) {
    std::uint64_t number = 0;
    std::vector<hsize_t> offset(position.size());
    for (std::size_t i = 0; i < position.size(); ++i) {
        number = number * static_cast<std::uint64_t>((shape_[i] - 1) / chunk_[i] + 1) +
                 static_cast<std::uint64_t>(position[i]);
        offset[i] = static_cast<hsize_t>(position[i] * chunk_[i]);
    }
    const ChunkCache::Key key{this, number};
    if (const std::vector<char>* known = cache.find(key)) return *known;
    hsize_t bytes = 0;
    const bool written = H5Dget_chunk_storage_size(set, offset.data(), &bytes) >= 0 && bytes > 0;
    constexpr hsize_t kDensest = 1100;  // deflate makes no less than one of 1032 bytes
    if (written && (bytes > static_cast<hsize_t>(stored_bytes_) || bytes * kDensest < chunk_bytes_)) {
        fail(path, name_, fmt::format("a chunk of {} values takes {} bytes", shape_text(chunk_), bytes));
    }
    std::vector<char>& out = cache.add(key, chunk_bytes_);
    try {
        if (!written) {
            read_plain(set, offset, shape_, chunk_, out.data(), path, name_);
        } else {
            load(set, offset, bytes, out, path);
        }
    } catch (...) {
        cache.drop(key);
        throw;
    }
    return out;
}

void Hdf5Chunks::load(hid_t set, const std::vector<hsize_t>& offset, std::size_t bytes, std::vector<char>& out,
                      const std::string& path) {
    raw_.resize(bytes);
    std::uint32_t mask = 0;
    if (H5Dread_chunk(set, H5P_DEFAULT, offset.data(), &mask, raw_.data()) < 0) fail_hdf5(path, "read " + name_);
    decode(mask, out, path);
}

// Undoes the filters of raw_ from the last to the first; a bit of `mask` says that one was left out.
void Hdf5Chunks::decode(unsigned mask, std::vector<char>& out, const std::string& path) {
    for (std::size_t i = filters_.size(); i-- > 0;) {
        if ((mask >> i & 1U) != 0) continue;
        const bool sum_inside =
            std::any_of(filters_.begin(), filters_.begin() + static_cast<std::ptrdiff_t>(i), [&](const Filter& f) {
                const auto at = static_cast<unsigned>(&f - filters_.data());
                return f.id == H5Z_FILTER_FLETCHER32 && (mask >> at & 1U) == 0;
            });
        switch (filters_[i].id) {
            case H5Z_FILTER_FLETCHER32: check_sum(path); break;
            case H5Z_FILTER_DEFLATE: inflate(chunk_bytes_ + (sum_inside ? kChecksumBytes : 0), path); break;
            default:
                other_.resize(raw_.size());
                unshuffle(raw_.data(), raw_.size(), filters_[i].width, other_.data());
                raw_.swap(other_);
        }
    }
    if (raw_.size() != out.size()) {
        fail(path, name_, fmt::format("a chunk holds {} bytes, expected {}", raw_.size(), out.size()));
    }
    std::memcpy(out.data(), raw_.data(), out.size());
}

void Hdf5Chunks::inflate(std::size_t expected, const std::string& path) {
    other_.resize(expected);
    std::size_t size = 0;
    const libdeflate_result result =
        libdeflate_zlib_decompress(inflater_.get(), raw_.data(), raw_.size(), other_.data(), other_.size(), &size);
    if (result != LIBDEFLATE_SUCCESS || size != expected) fail(path, name_, "a compressed chunk is broken");
    raw_.swap(other_);
}

void Hdf5Chunks::check_sum(const std::string& path) {
    if (raw_.size() < kChecksumBytes) fail(path, name_, "a chunk is cut off");
    const std::size_t bytes = raw_.size() - kChecksumBytes;
    const auto* stored = reinterpret_cast<const unsigned char*>(raw_.data()) + bytes;
    const std::uint32_t expected = stored[0] | static_cast<std::uint32_t>(stored[1]) << 8 |
                                   static_cast<std::uint32_t>(stored[2]) << 16 |
                                   static_cast<std::uint32_t>(stored[3]) << 24;
    if (fletcher32(raw_.data(), bytes) != expected) fail(path, name_, "the checksum of a chunk differs");
    raw_.resize(bytes);
}

}  // namespace nowcell
