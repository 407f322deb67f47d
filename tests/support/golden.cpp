#include "tests/support/golden.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace fs = std::filesystem;

namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian and copied as they are");

const std::string kSuffix = ".safetensors";

fs::path folder() { return fs::path(NOWCELL_SOURCE_DIR) / "tests" / "golden"; }

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    if (!file || !bytes) throw std::runtime_error("cannot read " + path.string());
    return bytes.str();
}

at::ScalarType dtype(const std::string& name) {
    if (name == "F64") return at::kDouble;
    if (name == "F32") return at::kFloat;
    if (name == "I64") return at::kLong;
    if (name == "U8") return at::kByte;
    throw std::runtime_error("no golden file has tensors of type " + name);
}

// entry: {"dtype": "F64", "shape": [2, 3], "data_offsets": [begin, end]}; offsets count from the end of the header.
torch::Tensor to_tensor(const nlohmann::json& entry, const std::string& data) {
    torch::Tensor tensor =
        at::empty(entry.at("shape").get<std::vector<std::int64_t>>(), dtype(entry.at("dtype").get<std::string>()));
    const auto begin = entry.at("data_offsets").at(0).get<std::size_t>();
    const auto end = entry.at("data_offsets").at(1).get<std::size_t>();
    if (begin > end || end > data.size() || end - begin != tensor.nbytes())
        throw std::runtime_error("offsets that do not fit: " + entry.dump());
    if (end > begin) std::memcpy(tensor.data_ptr(), data.data() + begin, end - begin);
    return tensor;
}

}  // namespace

const torch::Tensor& Golden::at(const std::string& name) const {
    const auto found = tensors.find(name);
    if (found == tensors.end()) throw std::runtime_error("the golden file has no tensor " + name);
    return found->second;
}

Golden read_golden(const std::string& name) {
    const fs::path path = folder() / (name + kSuffix);
    const std::string bytes = read_file(path);
    std::uint64_t length = 0;  // of the header
    if (bytes.size() < sizeof length) throw std::runtime_error("no header in " + path.string());
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > bytes.size() - sizeof length) throw std::runtime_error("a cut header in " + path.string());
    const auto header = nlohmann::json::parse(bytes.substr(sizeof length, length));
    const std::string data = bytes.substr(sizeof length + length);
    Golden golden;
    for (const auto& [key, entry] : header.items()) {
        if (key == "__metadata__")
            golden.metadata = entry.get<std::map<std::string, std::string>>();
        else
            golden.tensors[key] = to_tensor(entry, data);
    }
    return golden;
}

std::vector<std::string> golden_names(const std::string& prefix) {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder()))
        if (entry.path().extension() == kSuffix && entry.path().stem().string().starts_with(prefix))
            names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}
