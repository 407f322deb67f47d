// Files that come into a folder.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

namespace nowcell {

struct WatchOptions {
    double poll_s = 5.0;    ///< between two looks at the whole folder, which find what the system does not report
    double settle_s = 1.0;  ///< a file that nothing is known of is complete when it has not changed for so long
    double start_s = 5.0;   ///< that files which are there, but still grow, are waited for at the start
};

/// Throws Error(data) when there is no such folder.
void check_watched(const std::string& path);

/// Gives each file once, complete: closed by who wrote it, or renamed, or settled. In the order in which they come;
/// those that are there at the start in the order of earlier_name(). A file whose content is replaced is given again.
/// Hidden files, sub-folders and names that end with
/// ".tmp", ".part" or "~" are not looked at. Memory is that of the names in the folder.
class WatchedFolder {
 public:
    /// seen: signatures of files that need not be given; first: names that are given before all others.
    /// Throws as check_watched does.
    WatchedFolder(std::string path, const WatchOptions& options, const std::vector<std::int64_t>& seen = {},
                  const std::vector<std::string>& first = {});
    ~WatchedFolder();
    WatchedFolder(const WatchedFolder&) = delete;
    WatchedFolder& operator=(const WatchedFolder&) = delete;

    /// Waits at most so long for a file, less when a signal comes. Throws Error(data) when the folder is gone.
    bool wait(double seconds);

    /// Whether take() has a file to give, without waiting.
    bool waiting();

    /// The next file's name; waiting() is true.
    std::string take();

    const std::string& path() const { return path_; }

    /// Signatures of what was given and is still there.
    std::vector<std::int64_t> seen() const;

 private:
    struct Entry {
        std::int64_t signature = 0;  // of name, inode, size and time of the last change
        bool given = false;
        bool fresh = true;       // its content was not given
        bool written = false;    // it is being written: its end will be reported
        double changed_s = 0.0;  // when the signature was last seen to change
    };

    void read_events();
    void look();
    void closed(const std::string& name);
    void give(const std::string& name, Entry& entry);
    bool settled(const Entry& entry) const;
    void wait_for_start();
    double due_s() const;

    std::string path_;
    WatchOptions options_;
    int events_ = -1;
    double looked_s_ = 0.0;
    bool growing_ = false;  // the last look found files that are not settled
    std::unordered_map<std::string, Entry> entries_;
    std::deque<std::string> queue_;
};

}  // namespace nowcell
