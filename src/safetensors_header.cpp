#include "src/safetensors_header.h"

#include "src/error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <set>

namespace nowcell {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLargestHeader = 100'000'000;
constexpr int kDeepestHeader = 4;
constexpr std::size_t kLargestSide = std::size_t{1} << 48;

struct Type {
    const char* name;
    std::size_t bytes;
};

constexpr Type kTypes[] = {{"F32", 4}, {"F64", 8}, {"I64", 8}, {"U8", 1}, {"BOOL", 1}};

// The header as JSON; duplicate keys and deep nesting are refused while parsing.
Json parse_header(std::string_view text, const std::string& name) {
    std::vector<std::set<std::string>> keys;
    bool twice = false;
    const Json::parser_callback_t watch = [&](int depth, Json::parse_event_t event, Json& value) {
        if (depth > kDeepestHeader) twice = true;
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
        if (event == Json::parse_event_t::key) {
            twice = twice || !keys.back().insert(value.get<std::string>()).second;
        }
        return !twice;
    };
    Json header = Json::parse(text, watch, false);
    if (twice || header.is_discarded() || !header.is_object()) refuse_safetensors(name, "its header is not valid JSON");
    return header;
}

void read_span(const Json& entry, std::size_t data_size, const std::string& name, SafeTensorsEntry& tensor) {
    const Json& offsets = entry.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
        refuse_safetensors(name, "a tensor has no offsets");
    }
    tensor.begin = offsets[0].get<std::size_t>();
    tensor.end = offsets[1].get<std::size_t>();
    if (tensor.begin > tensor.end || tensor.end > data_size) {
        refuse_safetensors(name, fmt::format("a tensor ends at byte {} of {}", tensor.end, data_size));
    }
}

std::vector<std::int64_t> shape_of(const Json& entry, std::size_t bytes, std::size_t item, const std::string& name) {
    std::vector<std::int64_t> shape;
    std::size_t total = item;
    for (const Json& size : entry.at("shape")) {
        if (!size.is_number_unsigned()) refuse_safetensors(name, "a tensor has no shape");
        const auto value = size.get<std::size_t>();
        if (value > kLargestSide) refuse_safetensors(name, "a shape exceeds its data");
        if (value != 0 && total > bytes / value && total != 0) refuse_safetensors(name, "a shape exceeds its data");
        total *= value;
        shape.push_back(static_cast<std::int64_t>(value));
    }
    if (total != bytes) refuse_safetensors(name, "a shape does not match its data");
    return shape;
}

std::size_t item_bytes(const std::string& wanted, const std::string& name) {
    for (const Type& type : kTypes) {
        if (wanted == type.name) return type.bytes;
    }
    refuse_safetensors(name, "unknown tensor type " + wanted);
}

// Spans must follow each other without hole or overlap to the end of the file.
void check_tiling(std::map<std::size_t, std::size_t> ends_by_begin, std::size_t data_size, const std::string& name) {
    std::size_t at = 0;
    for (const auto& [begin, end] : ends_by_begin) {
        if (begin != at) refuse_safetensors(name, fmt::format("byte {} belongs to no tensor or to two", at));
        at = end;
    }
    if (at != data_size)
        refuse_safetensors(name, fmt::format("{} of {} bytes belong to no tensor", data_size - at, data_size));
}

SafeTensorsHeader parse_checked(std::string_view bytes, const std::string& name) {
    if (bytes.size() < kSafeTensorsLengthBytes + 2) {
        refuse_safetensors(name, fmt::format("only {} bytes long", bytes.size()));
    }
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > kLargestHeader || length > bytes.size() - kSafeTensorsLengthBytes ||
        bytes[kSafeTensorsLengthBytes] != '{') {
        refuse_safetensors(name, "it does not begin with a safetensors header");
    }
    const std::size_t header_end = bytes.find_last_not_of(' ', kSafeTensorsLengthBytes + length - 1);
    if (bytes[header_end] != '}') refuse_safetensors(name, "its header does not end where it says");
    const Json json = parse_header(bytes.substr(kSafeTensorsLengthBytes, length), name);

    SafeTensorsHeader header;
    header.data = kSafeTensorsLengthBytes + length;
    const std::size_t data_size = bytes.size() - header.data;
    if (json.contains("__metadata__")) {
        header.metadata = json["__metadata__"].get<std::map<std::string, std::string>>();
    }
    std::map<std::size_t, std::size_t> ends_by_begin;
    for (const auto& [key, entry] : json.items()) {
        if (key == "__metadata__") continue;
        SafeTensorsEntry tensor;
        tensor.name = key;
        read_span(entry, data_size, name, tensor);
        if (tensor.end > tensor.begin && !ends_by_begin.emplace(tensor.begin, tensor.end).second) {
            refuse_safetensors(name, "two tensors share their data");
        }
        tensor.type = entry.at("dtype").get<std::string>();
        tensor.shape = shape_of(entry, tensor.end - tensor.begin, item_bytes(tensor.type, name), name);
        header.tensors.push_back(std::move(tensor));
    }
    check_tiling(ends_by_begin, data_size, name);
    return header;
}

}  // namespace

SafeTensorsHeader parse_safetensors_header(std::string_view bytes, const std::string& name) {
    try {
        return parse_checked(bytes, name);
    } catch (const Json::exception&) {
        refuse_safetensors(name, "its header lacks what a tensor needs");
    }
}

void refuse_safetensors(const std::string& name, const std::string& why) {
    throw Error(ExitCode::model, fmt::format("{} is not a nowcell checkpoint, or damaged: {}", name, why), "",
                "use another checkpoint of the run, such as checkpoints/last.safetensors");
}

}  // namespace nowcell
