#include "tests/support/files.h"

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "nowcell-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

std::string TemporaryFolder::path(const std::string& name) const { return name.empty() ? path_ : path_ + "/" + name; }

std::string shared_data(const std::string& name) {
    const fs::path path = fs::path(NOWCELL_SOURCE_DIR) / ".." / "shared" / "data" / name;
    return fs::exists(path) ? fs::canonical(path).string() : "";
}

unsigned long long test_seed() {
    const char* seed = std::getenv("NOWCELL_TEST_SEED");
    return seed == nullptr ? 1 : std::stoull(seed);
}
