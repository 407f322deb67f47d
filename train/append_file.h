// A file that grows record by record.
#pragma once

#include <string>

namespace nowcell {

/// Every record is handed to the system at once and whole: a killed process loses none that append() returned from.
class AppendFile {
 public:
    /// Opens or makes the file; `fresh`: what was in it goes. Throws Error(output), as all that follow.
    AppendFile(std::string path, bool fresh);
    ~AppendFile();
    AppendFile(const AppendFile&) = delete;
    AppendFile& operator=(const AppendFile&) = delete;

    void append(const std::string& bytes);

    /// To the disk, so that a loss of power loses nothing either.
    void sync();

    const std::string& path() const { return path_; }

 private:
    std::string path_;
    int file_;
};

}  // namespace nowcell
