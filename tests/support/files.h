// Places for tests to write, and data they may read.
#pragma once

#include <string>

/// A folder that is removed with everything in it.
class TemporaryFolder {
 public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::string path(const std::string& name = "") const;

 private:
    std::string path_;
};

/// Path of a shared data file, or "" where it is absent: WARN("skipped: ...") and return; ctest then counts a skipped
/// test.
std::string shared_data(const std::string& name);

/// True when `part` stands in `text`.
inline bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// NOWCELL_TEST_SEED, or a fixed number.
unsigned long long test_seed();
