#include "data/formats/array_reader.h"

#include "data/formats/checked.h"
#include "data/formats/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

namespace nowcell {
namespace {

constexpr std::int64_t kBuffer = 16 << 20;  // bytes of one read with gaps
constexpr std::int64_t kGap = 4096;         // a page comes from the disk anyway

std::vector<std::int64_t> strides_of(const ArrayInFile& array) {
    std::vector<std::int64_t> out(array.shape.size());
    auto stride = static_cast<std::int64_t>(size_of(array.type));
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t dimension = array.fortran ? i : out.size() - 1 - i;
        out[dimension] = stride;
        stride *= array.shape[dimension];
    }
    return out;
}

// Of a size that the compiler knows, so that it copies with one instruction.
template <std::size_t kItem>
void copy_items(const char* from, std::int64_t from_stride, char* to, std::int64_t to_stride, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) std::memcpy(to + i * to_stride, from + i * from_stride, kItem);
}

void copy_row(std::int64_t item, const char* from, std::int64_t from_stride, char* to, std::int64_t to_stride,
              std::int64_t count) {
    switch (item) {
        case 1: return copy_items<1>(from, from_stride, to, to_stride, count);
        case 2: return copy_items<2>(from, from_stride, to, to_stride, count);
        case 4: return copy_items<4>(from, from_stride, to, to_stride, count);
        default: return copy_items<8>(from, from_stride, to, to_stride, count);
    }
}

}  // namespace

ArrayReader::ArrayReader(std::unique_ptr<Bytes> bytes, const ArrayInFile& array, const SourceOptions& options,
                         SourceInfo info)
    : bytes_(std::move(bytes)),
      array_(array),
      info_(std::move(info)),
      item_(static_cast<std::int64_t>(size_of(array.type))) {
    const std::string name = info_.dataset.empty() ? info_.path : info_.dataset;
    const StoredArray stored{.name = name, .shape = array.shape, .type = array.type};
    const FrameLayout layout = find_layout(options.layout, stored);
    describe_frames(layout, stored, info_);
    if (layout.t < 0) info_.frames.assign(info_.frames.size(), 1);
    const std::int64_t frame = info_.channels * info_.height * info_.width * std::max<std::int64_t>(item_, 4);
    if (frame > options.limits.memory / 4) {
        refuse(info_.path,
               fmt::format("one frame has {} bytes, more than a quarter of data.limits.memory = {}", frame,
                           options.limits.memory),
               "raise data.limits.memory");
    }
    const std::vector<std::int64_t> strides = strides_of(array);
    const auto stride = [&](int dimension) { return dimension < 0 ? 0 : strides[static_cast<std::size_t>(dimension)]; };
    recording_stride_ = stride(layout.n);
    strides_ = {stride(layout.t), stride(layout.c), stride(layout.h), stride(layout.w)};
    info_.units = info_.units.empty() ? "1" : info_.units;
    info_.filters = info_.filters.empty() ? "none" : info_.filters;
    info_.step_s = options.step_s;
    info_.fingerprint = fingerprint(info_.path);
}

void ArrayReader::plan(std::int64_t count) {
    sizes_ = {count, info_.channels, info_.height, info_.width};
    std::int64_t dense = item_;
    for (std::size_t i = 4; i-- > 0; dense *= sizes_[i]) dense_[i] = dense;
    std::array<std::size_t, 4> order = {0, 1, 2, 3};
    // A dimension of one number steps over nothing: it stands outermost.
    const auto step = [&](std::size_t i) { return sizes_[i] == 1 ? INT64_MAX : strides_[i]; };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return step(a) > step(b); });
    levels_[4] = {0, item_, true, true};
    std::int64_t wanted = item_;
    for (std::size_t i = 4; i-- > 0;) {
        const std::size_t d = order[i];
        const Level& inner = levels_[i + 1];
        wanted *= sizes_[d];
        levels_[i] = {d, inner.extent + (sizes_[d] - 1) * strides_[d],
                      inner.bridged && (sizes_[d] == 1 || strides_[d] - inner.extent <= kGap),
                      inner.straight && (sizes_[d] == 1 || strides_[d] == dense_[d])};
        levels_[i].straight = levels_[i].straight && levels_[i].extent == wanted;
    }
}

void ArrayReader::gather(std::size_t level, std::int64_t position, char* to) {
    const Level& here = levels_[level];
    if (here.straight) return bytes_->read(position, here.extent, to);
    const std::int64_t inner = levels_[level + 1].extent;
    const std::int64_t stride = strides_[here.dimension];
    const std::int64_t size = sizes_[here.dimension];
    const std::int64_t dense = dense_[here.dimension];
    if (!here.bridged || inner > kBuffer) {
        for (std::int64_t i = 0; i < size; ++i) gather(level + 1, position + i * stride, to + i * dense);
        return;
    }
    const std::int64_t fitting = size == 1 ? 1 : 1 + (kBuffer - inner) / stride;
    for (std::int64_t i = 0; i < size; i += fitting) {
        const std::int64_t indices = std::min(fitting, size - i);
        const std::int64_t extent = inner + (indices - 1) * stride;
        buffer_.resize(static_cast<std::size_t>(std::max(extent, static_cast<std::int64_t>(buffer_.size()))));
        bytes_->read(position + i * stride, extent, buffer_.data());
        scatter(level, indices, to + i * dense);
    }
}

// From the buffer to the block: `indices` of the dimension of `level`, all of the inner ones.
void ArrayReader::scatter(std::size_t level, std::int64_t indices, char* to) const {
    std::array<std::int64_t, 4> sizes = {1, 1, 1, 1};
    for (std::size_t i = level; i < 4; ++i) sizes[levels_[i].dimension] = sizes_[levels_[i].dimension];
    sizes[levels_[level].dimension] = indices;
    for (std::int64_t t = 0; t < sizes[0]; ++t) {
        for (std::int64_t c = 0; c < sizes[1]; ++c) {
            for (std::int64_t y = 0; y < sizes[2]; ++y) {
                const char* from = buffer_.data() + t * strides_[0] + c * strides_[1] + y * strides_[2];
                char* row = to + t * dense_[0] + c * dense_[1] + y * dense_[2];
                copy_row(item_, from, strides_[3], row, dense_[3], sizes[3]);
            }
        }
    }
}

std::int64_t ArrayReader::read_block(std::int64_t position, std::int64_t count, float* out) {
    const bool in_place = array_.type == StoredType::f32;
    if (!in_place) block_.resize(static_cast<std::size_t>(dense_[0] * count));
    char* block = in_place ? reinterpret_cast<char*>(out) : block_.data();
    gather(0, position, block);
    return decode({.data = block, .type = array_.type, .swapped = array_.swapped, .shape = sizes_, .strides = dense_},
                  {}, out);
}

std::int64_t ArrayReader::read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) {
    const std::int64_t frame = info_.channels * info_.height * info_.width;
    const std::int64_t most = std::max<std::int64_t>(1, kBuffer / (frame * item_));
    const std::int64_t start = array_.position + recording * recording_stride_;
    std::int64_t missing = 0;
    for (std::int64_t t = 0; t < count; t += most) {
        const std::int64_t frames = std::min(most, count - t);
        plan(frames);
        missing += read_block(start + (first + t) * strides_[0], frames, out + t * frame);
    }
    return missing;
}

}  // namespace nowcell
