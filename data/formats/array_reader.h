// Frames of one array that lies in a file as plain numbers, whatever the order of its dimensions.
#pragma once

#include "data/formats/file_bytes.h"
#include "data/formats/frame_layout.h"
#include "data/formats/frame_reader.h"
#include "data/formats/stored.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {

/// Where and how an array lies in its bytes; the whole of it does.
struct ArrayInFile {
    StoredType type = StoredType::u8;
    bool swapped = false;  ///< the bytes of each number are in the other order than this machine's
    bool fortran = false;  ///< the first dimension is the innermost
    std::vector<std::int64_t> shape;
    std::int64_t position = 0;  ///< of the first number
};

/// Reads nothing but the frames that are asked for, in few large reads where the gaps between their numbers are small,
/// and with bounded memory.
class ArrayReader : public FrameReader {
 public:
    /// `info` has path, dataset, format and stored_type; the rest is filled in.
    /// Throws as find_layout and describe_frames do, and Error(data) when one frame exceeds options.limits.
    ArrayReader(std::unique_ptr<Bytes> bytes, const ArrayInFile& array, const SourceOptions& options, SourceInfo info);

    const SourceInfo& info() const override { return info_; }
    std::int64_t read(std::int64_t recording, std::int64_t first, std::int64_t count, float* out) override;

 private:
    void plan(std::int64_t count);
    void gather(std::size_t level, std::int64_t position, char* to);
    void scatter(std::size_t level, std::int64_t indices, char* to) const;
    std::int64_t read_block(std::int64_t position, std::int64_t count, float* out);

    std::unique_ptr<Bytes> bytes_;
    ArrayInFile array_;
    SourceInfo info_;
    std::int64_t item_;
    std::int64_t recording_stride_ = 0;         // bytes
    std::array<std::int64_t, 4> strides_ = {};  // bytes, of T, C, H, W

    // The plan of one block of frames: dimensions from the outermost to the innermost in the file.
    struct Level {
        std::size_t dimension = 0;
        std::int64_t extent = 0;  // bytes from the first to the last number of this and the inner dimensions
        bool bridged = false;     // gaps are so small that reading them is faster than leaving them out
        bool straight = false;    // these bytes are wanted as they are
    };
    std::array<std::int64_t, 4> sizes_ = {};
    std::array<std::int64_t, 4> dense_ = {};  // strides in the gathered block
    std::array<Level, 5> levels_ = {};
    std::vector<char> buffer_;
    std::vector<char> block_;
};

}  // namespace nowcell
