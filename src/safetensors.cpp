#include "src/safetensors.h"

#include "src/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <vector>

namespace nowcell {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kLargestHeader = 100'000'000;
constexpr std::size_t kAlignment = 64;  // so that the data can be mapped
constexpr int kDeepestHeader = 4;
constexpr std::size_t kLargestSide = std::size_t{1} << 48;
const char* const kHashKey = "hash";

struct Type {
    const char* name;
    torch::ScalarType scalar;
};

constexpr Type kTypes[] = {{"F32", torch::kFloat32},
                           {"F64", torch::kFloat64},
                           {"I64", torch::kInt64},
                           {"U8", torch::kUInt8},
                           {"BOOL", torch::kBool}};

// Covers name, type and shape besides the values: a flipped bit anywhere shows.
std::string tensor_hash(const std::string& key, const torch::Tensor& tensor) {
    const std::string description =
        fmt::format("{} {} [{}]", key, static_cast<int>(tensor.scalar_type()), fmt::join(tensor.sizes(), ","));
    const XXH64_hash_t seed = XXH3_64bits(description.data(), description.size());
    return fmt::format("{:016x}",
                       static_cast<unsigned long long>(XXH3_64bits_withSeed(tensor.data_ptr(), tensor.nbytes(), seed)));
}

[[noreturn]] void fail_damaged(const std::string& name, const std::string& why) {
    throw Error(ExitCode::model, fmt::format("{} is not a nowcell checkpoint, or damaged: {}", name, why), "",
                "use another checkpoint of the run, such as checkpoints/last.safetensors");
}

const Type* type_of(torch::ScalarType scalar) {
    for (const Type& type : kTypes) {
        if (type.scalar == scalar) return &type;
    }
    return nullptr;
}

// The header as JSON; duplicate keys and deep nesting are refused while parsing.
Json parse_header(const std::string& text, const std::string& name) {
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
    if (twice || header.is_discarded() || !header.is_object()) fail_damaged(name, "its header is not valid JSON");
    return header;
}

struct Span {
    std::size_t begin;
    std::size_t end;
};

Span span_of(const Json& entry, std::size_t data_size, const std::string& name) {
    const Json& offsets = entry.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
        fail_damaged(name, "a tensor has no offsets");
    }
    const Span span{offsets[0].get<std::size_t>(), offsets[1].get<std::size_t>()};
    if (span.begin > span.end || span.end > data_size) {
        fail_damaged(name, fmt::format("a tensor ends at byte {} of {}", span.end, data_size));
    }
    return span;
}

std::vector<std::int64_t> shape_of(const Json& entry, std::size_t bytes, std::size_t item, const std::string& name) {
    std::vector<std::int64_t> shape;
    std::size_t total = item;
    for (const Json& size : entry.at("shape")) {
        if (!size.is_number_unsigned()) fail_damaged(name, "a tensor has no shape");
        const auto value = size.get<std::size_t>();
        if (value > kLargestSide) fail_damaged(name, "a shape exceeds its data");
        if (value != 0 && total > bytes / value && total != 0) fail_damaged(name, "a shape exceeds its data");
        total *= value;
        shape.push_back(static_cast<std::int64_t>(value));
    }
    if (total != bytes) fail_damaged(name, "a shape does not match its data");
    return shape;
}

torch::Tensor tensor_of(const Json& entry, const Span& span, const char* data, const std::string& name) {
    const std::string wanted = entry.at("dtype").get<std::string>();
    for (const Type& type : kTypes) {
        if (wanted != type.name) continue;
        const std::vector<std::int64_t> shape =
            shape_of(entry, span.end - span.begin, c10::elementSize(type.scalar), name);
        torch::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(type.scalar));
        if (span.end > span.begin) std::memcpy(tensor.data_ptr(), data + span.begin, span.end - span.begin);
        return tensor;
    }
    fail_damaged(name, "unknown tensor type " + wanted);
}

// Spans must follow each other without hole or overlap to the end of the file.
void check_tiling(std::map<std::size_t, std::size_t> ends_by_begin, std::size_t data_size, const std::string& name) {
    std::size_t at = 0;
    for (const auto& [begin, end] : ends_by_begin) {
        if (begin != at) fail_damaged(name, fmt::format("byte {} belongs to no tensor or to two", at));
        at = end;
    }
    if (at != data_size)
        fail_damaged(name, fmt::format("{} of {} bytes belong to no tensor", data_size - at, data_size));
}

SafeTensors read_checked(const std::string& bytes, const std::string& name) {
    if (bytes.size() < kLengthBytes + 2) fail_damaged(name, fmt::format("only {} bytes long", bytes.size()));
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > kLargestHeader || length > bytes.size() - kLengthBytes || bytes[kLengthBytes] != '{') {
        fail_damaged(name, "it does not begin with a safetensors header");
    }
    const std::size_t header_end = bytes.find_last_not_of(' ', kLengthBytes + length - 1);
    if (bytes[header_end] != '}') fail_damaged(name, "its header does not end where it says");
    const Json header = parse_header(bytes.substr(kLengthBytes, length), name);
    const char* data = bytes.data() + kLengthBytes + length;
    const std::size_t data_size = bytes.size() - kLengthBytes - length;

    SafeTensors content;
    if (header.contains("__metadata__")) {
        content.metadata = header["__metadata__"].get<std::map<std::string, std::string>>();
    }
    std::map<std::size_t, std::size_t> ends_by_begin;
    for (const auto& [key, entry] : header.items()) {
        if (key == "__metadata__") continue;
        const Span span = span_of(entry, data_size, name);
        if (span.end > span.begin && !ends_by_begin.emplace(span.begin, span.end).second) {
            fail_damaged(name, "two tensors share their data");
        }
        const torch::Tensor& tensor = content.tensors[key] = tensor_of(entry, span, data, name);
        const bool hashed = content.metadata.count(kHashKey) > 0;  // files of others have no hashes
        if (hashed && content.metadata["hash." + key] != tensor_hash(key, tensor)) {
            fail_damaged(name, fmt::format("the hash of tensor {} differs", key));
        }
    }
    check_tiling(ends_by_begin, data_size, name);
    return content;
}

// The hash that covers all of the metadata but itself.
std::string metadata_hash(const std::map<std::string, std::string>& metadata) {
    std::string all;
    for (const auto& [key, value] : metadata) {
        if (key != kHashKey) all += fmt::format("{}:{}{}:{}", key.size(), key, value.size(), value);
    }
    return fmt::format("{:016x}", static_cast<unsigned long long>(XXH3_64bits(all.data(), all.size())));
}

}  // namespace

std::string to_safetensors(const SafeTensors& content) {
    std::map<std::string, std::string> metadata = content.metadata;
    std::string data;
    Json header = Json::object();
    for (const auto& [key, tensor] : content.tensors) {
        const Type* type = type_of(tensor.scalar_type());
        if (type == nullptr || !tensor.is_contiguous() || !tensor.is_cpu()) {
            throw Error(ExitCode::internal, "cannot store tensor " + key);
        }
        const auto* begin = static_cast<const char*>(tensor.data_ptr());
        const std::size_t size = tensor.nbytes();
        header[key] = {{"dtype", type->name},
                       {"shape", tensor.sizes().vec()},
                       {"data_offsets", {data.size(), data.size() + size}}};
        metadata["hash." + key] = tensor_hash(key, tensor);
        data.append(begin, size);
    }
    metadata[kHashKey] = metadata_hash(metadata);
    header["__metadata__"] = metadata;
    std::string text = header.dump();
    text.append((kAlignment - (kLengthBytes + text.size()) % kAlignment) % kAlignment, ' ');
    const std::uint64_t length = text.size();
    std::string bytes(kLengthBytes, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes + text + data;
}

SafeTensors from_safetensors(const std::string& bytes, const std::string& name) {
    try {
        SafeTensors content = read_checked(bytes, name);
        const auto hash = content.metadata.find(kHashKey);
        if (hash != content.metadata.end() && hash->second != metadata_hash(content.metadata)) {
            fail_damaged(name, "the hash of its metadata differs");
        }
        return content;
    } catch (const Json::exception&) {
        fail_damaged(name, "its header lacks what a tensor needs");
    }
}

SafeTensors read_safetensors(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw Error(ExitCode::model, "cannot open checkpoint " + path);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    return from_safetensors(bytes, path);
}

}  // namespace nowcell
