// Writing files so that they are complete or absent, and never replace what the user did not name.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace nowcell {

/// Writes `path` through a temporary file beside it: `write` gets the temporary path, then fsync, rename, fsync of the
/// folder. On any exception the temporary file is removed and an existing `path` is untouched.
/// Throws Error(output) with path, needed and free bytes where known.
void write_atomically(const std::string& path, const std::function<void(const std::string& temporary)>& write);

/// The same for bytes in memory.
void write_atomically(const std::string& path, const std::string& bytes);

/// Gives a complete file a second name, replacing what had it, at no cost in space where the file system has links.
/// Throws Error(output).
void give_second_name(const std::string& path, const std::string& second);

/// True for the name of a file that write_atomically() has not finished.
bool is_temporary(const std::string& name);

/// Refuses an output file that exists (`force` allows it) or cannot be written, before any work is done; folders that
/// are missing above it will be made. Throws Error(output).
void check_writable(const std::string& path, bool force);

/// The same for an output folder, which may exist.
void check_folder_writable(const std::string& path);

/// Makes a folder and its parents. Throws Error(output).
void make_folder(const std::string& path);

/// The same for the folder that a file goes to.
void make_parent(const std::string& path);

/// A folder that several outputs go to. Unless commit() is called, new files named by add() and a folder that was made
/// here are removed again: a run that fails leaves nothing behind.
class OutputFolder {
 public:
    /// Throws Error(output) when the folder cannot be made.
    explicit OutputFolder(std::string path);
    ~OutputFolder();
    OutputFolder(const OutputFolder&) = delete;
    OutputFolder& operator=(const OutputFolder&) = delete;

    std::string add(const std::string& name);  ///< the path of an output that is about to be written
    void commit() { written_.clear(), made_ = false; }

 private:
    std::string path_;
    bool made_;
    std::vector<std::string> written_;
};

/// Text of a file. Throws Error(usage) with a similar name from the same folder as the hint.
std::string read_text(const std::string& path);

/// "did you mean FOLDER/NAME?" for a path that does not exist, or the empty string.
std::string similar_file(const std::string& path);

/// Bytes free on the file system of `path`, or -1.
long long free_bytes(const std::string& path);

}  // namespace nowcell
