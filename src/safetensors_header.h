// The head of a safetensors file: names, types, shapes and places of its tensors. Free of LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nowcell {

constexpr std::size_t kSafeTensorsLengthBytes = 8;  // in front of the header, its length

/// A tensor as the header describes it; type, shape and place agree with each other and with the file.
struct SafeTensorsEntry {
    std::string name;
    std::string type;  ///< "F32", "F64", "I64", "U8", "BOOL"
    std::vector<std::int64_t> shape;
    std::size_t begin = 0;  ///< in the data
    std::size_t end = 0;
};

struct SafeTensorsHeader {
    std::vector<SafeTensorsEntry> tensors;  ///< in the order of their names
    std::map<std::string, std::string> metadata;
    std::size_t data = 0;  ///< position of the data in the file
};

/// Reads the header of a whole file and checks it against the file's size: nesting, unique keys, tensors that tile the
/// data. `name` stands for the file in messages. Throws Error(model) naming what is damaged.
SafeTensorsHeader parse_safetensors_header(std::string_view bytes, const std::string& name);

/// Throws Error(model): the checkpoint `name` cannot be used.
[[noreturn]] void refuse_safetensors(const std::string& name, const std::string& why);

}  // namespace nowcell
