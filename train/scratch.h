// Where the benches keep files.
#pragma once

#include "src/error.h"

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace nowcell {

/// A folder of temporary files that goes with this object. Throws Error(output).
class Scratch {
 public:
    Scratch() {
        std::string name = (std::filesystem::temp_directory_path() / "nowcell-bench-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw Error(ExitCode::output, "cannot make a folder in " + std::filesystem::temp_directory_path().string(),
                        "", "name another in TMPDIR");
        }
        path_ = name;
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
    std::string path_;
};

}  // namespace nowcell
