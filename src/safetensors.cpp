#include "src/safetensors.h"

#include "src/error.h"
#include "src/safetensors_header.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

namespace nowcell {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kAlignment = 64;  // so that the data can be mapped
const char* const kHashKey = "hash";
const char* const kFileHashKey = "hash_of_file";
const std::string kNoHash(32, '0');  // stands in the place of the file's hash while it is computed

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

const Type* type_of(torch::ScalarType scalar) {
    for (const Type& type : kTypes) {
        if (type.scalar == scalar) return &type;
    }
    return nullptr;
}

const Type& type_of(const std::string& name) {
    return *std::find_if(std::begin(kTypes), std::end(kTypes), [&](const Type& type) { return name == type.name; });
}

torch::Tensor tensor_of(const SafeTensorsEntry& entry, const char* data) {
    const auto options = at::TensorOptions().dtype(type_of(entry.type).scalar);
    torch::Tensor tensor = at::empty(entry.shape, options);
    if (entry.end > entry.begin) std::memcpy(tensor.data_ptr(), data + entry.begin, entry.end - entry.begin);
    return tensor;
}

// The hash that covers all of the metadata but itself.
std::string metadata_hash(const std::map<std::string, std::string>& metadata) {
    std::string all;
    for (const auto& [key, value] : metadata) {
        if (key != kHashKey && key != kFileHashKey)
            all += fmt::format("{}:{}{}:{}", key.size(), key, value.size(), value);
    }
    return fmt::format("{:016x}", static_cast<unsigned long long>(XXH3_64bits(all.data(), all.size())));
}

// Place of the file's own hash in its bytes, or npos.
std::size_t file_hash_place(std::string_view bytes, std::size_t header_end) {
    const std::string key = fmt::format("\"{}\":\"", kFileHashKey);
    const std::size_t found = bytes.substr(0, header_end).find(key);
    return found == std::string_view::npos || found + key.size() + kNoHash.size() > header_end ? std::string_view::npos
                                                                                               : found + key.size();
}

// XXH3-128 of the whole file, with zeros in the place of the hash.
std::string file_hash(std::string_view bytes, std::size_t place) {
    const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
    XXH3_128bits_reset(state.get());
    XXH3_128bits_update(state.get(), bytes.data(), place);
    XXH3_128bits_update(state.get(), kNoHash.data(), kNoHash.size());
    const std::size_t rest = place + kNoHash.size();
    XXH3_128bits_update(state.get(), bytes.data() + rest, bytes.size() - rest);
    const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
    return fmt::format("{:016x}{:016x}", static_cast<unsigned long long>(hash.high64),
                       static_cast<unsigned long long>(hash.low64));
}

// Files of others, and of versions before this hash, have none.
void check_file_hash(const std::string& bytes, const SafeTensorsHeader& header, const std::string& name) {
    const auto written = header.metadata.find(kFileHashKey);
    if (written == header.metadata.end()) return;
    const std::size_t place = file_hash_place(bytes, header.data);
    if (place == std::string::npos || file_hash(bytes, place) != written->second) {
        refuse_safetensors(name, "the hash of the file differs");
    }
}

}  // namespace

std::string to_safetensors(const SafeTensors& content) {
    std::map<std::string, std::string> metadata = content.metadata;
    std::size_t data = 0;
    Json header = Json::object();
    for (const auto& [key, tensor] : content.tensors) {
        const Type* type = type_of(tensor.scalar_type());
        if (type == nullptr || !tensor.is_contiguous() || !tensor.is_cpu()) {
            throw Error(ExitCode::internal, "cannot store tensor " + key);
        }
        const std::size_t size = tensor.nbytes();
        header[key] = {{"dtype", type->name}, {"shape", tensor.sizes().vec()}, {"data_offsets", {data, data + size}}};
        metadata["hash." + key] = tensor_hash(key, tensor);
        data += size;
    }
    metadata[kHashKey] = metadata_hash(metadata);
    metadata[kFileHashKey] = kNoHash;
    header["__metadata__"] = metadata;
    std::string text = header.dump();
    text.append((kAlignment - (kSafeTensorsLengthBytes + text.size()) % kAlignment) % kAlignment, ' ');
    const std::uint64_t length = text.size();
    std::string bytes;
    bytes.reserve(kSafeTensorsLengthBytes + text.size() + data);
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
    for (const auto& [key, tensor] : content.tensors) {
        bytes.append(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
    }
    const std::size_t place = file_hash_place(bytes, kSafeTensorsLengthBytes + text.size());
    return bytes.replace(place, kNoHash.size(), file_hash(bytes, place));
}

SafeTensors from_safetensors(const std::string& bytes, const std::string& name) {
    SafeTensorsHeader header = parse_safetensors_header(bytes, name);
    check_file_hash(bytes, header, name);
    SafeTensors content;
    content.metadata = std::move(header.metadata);
    const auto hash = content.metadata.find(kHashKey);
    const bool hashed = hash != content.metadata.end();  // files of others have no hashes
    for (const SafeTensorsEntry& entry : header.tensors) {
        const torch::Tensor& tensor = content.tensors[entry.name] = tensor_of(entry, bytes.data() + header.data);
        if (hashed && content.metadata["hash." + entry.name] != tensor_hash(entry.name, tensor)) {
            refuse_safetensors(name, fmt::format("the hash of tensor {} differs", entry.name));
        }
    }
    if (hashed && hash->second != metadata_hash(content.metadata)) {
        refuse_safetensors(name, "the hash of its metadata differs");
    }
    return content;
}

SafeTensors read_safetensors(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw Error(ExitCode::model, "cannot open checkpoint " + path);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    return from_safetensors(bytes, path);
}

}  // namespace nowcell
