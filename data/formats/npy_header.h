// The header of a NumPy array file, read as data and never as code.
#pragma once

#include "data/formats/array_reader.h"

#include <cstdint>
#include <span>
#include <string>

namespace nowcell {

/// Bytes that hold the header of any file that is read here.
constexpr std::int64_t kMostNpyHeader = 12 + 65536;

struct NpyHeader {
    ArrayInFile array;        ///< position: from the start of the file
    std::string type;         ///< "uint16", "bool"
    std::int64_t bytes = 0;   ///< of the array
    std::int64_t beyond = 0;  ///< bytes that follow the array
};

/// `start`: the first kMostNpyHeader bytes of the file, or all when it has fewer; `file_bytes`: its size. Versions 1 to
/// 3. Throws Error(data) that names `path`: not a NumPy file, a type that is not read (objects, structures, text,
/// complex), a shape that does not fit into the file.
NpyHeader parse_npy_header(std::span<const char> start, std::int64_t file_bytes, const std::string& path);

}  // namespace nowcell
