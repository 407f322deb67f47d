#include "data/formats/fingerprint.h"

#include "src/error.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

namespace nowcell {
namespace {

constexpr std::int64_t kBlock = 1 << 20;
constexpr std::int64_t kBlocks = 16;

std::vector<std::int64_t> block_starts(std::int64_t size) {
    std::vector<std::int64_t> out;
    const bool whole = size <= kBlock * kBlocks;
    const std::int64_t blocks = whole ? (size + kBlock - 1) / kBlock : kBlocks;
    for (std::int64_t i = 0; i < blocks; ++i) out.push_back(whole ? i * kBlock : (size - kBlock) / (kBlocks - 1) * i);
    return out;
}

}  // namespace

std::string fingerprint(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    const std::int64_t size = file.tellg();
    const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
    XXH3_64bits_reset(state.get());
    XXH3_64bits_update(state.get(), &size, sizeof size);
    std::vector<char> block(kBlock);
    for (const std::int64_t start : block_starts(size)) {
        const std::int64_t count = std::min(kBlock, size - start);
        file.seekg(start);
        file.read(block.data(), count);
        XXH3_64bits_update(state.get(), block.data(), static_cast<std::size_t>(count));
    }
    if (!file) throw Error(ExitCode::data, "cannot read " + path);
    return fmt::format("{:016x}", XXH3_64bits_digest(state.get()));
}

std::string fingerprint(const std::vector<std::string>& paths) {
    if (paths.size() == 1) return fingerprint(paths.front());
    constexpr std::size_t kSampled = 16;
    std::string text;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        std::error_code ignored;
        text += fmt::format("{} {}\n", std::filesystem::path(paths[i]).filename().string(),
                            std::filesystem::file_size(paths[i], ignored));
    }
    const std::size_t count = std::min(kSampled, paths.size());
    for (std::size_t i = 0; i < count; ++i) text += fingerprint(paths[i * (paths.size() - 1) / (count - 1)]);
    return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

}  // namespace nowcell
