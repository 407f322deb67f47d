#include "predict/stream/watched_folder.h"

#include "predict/stream/frame_names.h"
#include "src/error.h"
#include "src/files.h"

#include <xxhash.h>

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <thread>
#include <unordered_set>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

constexpr double kGlance_s = 0.1;  // between looks while files settle

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool ends_with(const std::string& name, const std::string& end) {
    return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

bool passed_over(const std::string& name) {
    return name.empty() || name.front() == '.' || is_temporary(name) || ends_with(name, ".tmp") ||
           ends_with(name, ".part") || ends_with(name, "~") || name.find('\n') != std::string::npos;
}

// 0: there is no such file, or it is none to read. An empty one is about to be written.
std::int64_t signature_of(const std::string& folder, const std::string& name) {
    struct stat status {};
    if (::stat((folder + "/" + name).c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
        return 0;
    }
    const std::array<std::int64_t, 4> facts = {static_cast<std::int64_t>(status.st_ino), status.st_size,
                                               status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
    const auto seed = XXH3_64bits(name.data(), name.size());
    const auto hash = static_cast<std::int64_t>(XXH3_64bits_withSeed(facts.data(), sizeof facts, seed));
    return hash == 0 ? 1 : hash;
}

// Of a file that is there at the start: how long ago it was changed, by the clock of its file system.
double age_s(const std::string& path) {
    std::error_code error;
    const auto changed = fs::last_write_time(path, error);
    if (error) return 0.0;
    return std::max(0.0, std::chrono::duration<double>(fs::file_time_type::clock::now() - changed).count());
}

}  // namespace

void check_watched(const std::string& path) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) return;
    throw Error(ExitCode::data, fmt::format("cannot watch {}: no such folder", path), "",
                "make it first, or give frames on standard input: --input -");
}

WatchedFolder::WatchedFolder(std::string path, const WatchOptions& options, const std::vector<std::int64_t>& seen,
                             const std::vector<std::string>& first)
    : path_(std::move(path)), options_(options) {
    check_watched(path_);
    events_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    // Without it the folder is looked at every poll_s.
    if (events_ >= 0) {
        ::inotify_add_watch(events_, path_.c_str(),
                            IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
    }
    const std::unordered_set<std::int64_t> known(seen.begin(), seen.end());
    for (const std::string& name : first) give(name, entries_[name]);
    for (const fs::directory_entry& file : fs::directory_iterator(path_)) {
        const std::string name = file.path().filename().string();
        const std::int64_t signature = passed_over(name) ? 0 : signature_of(path_, name);
        if (signature != 0 && known.count(signature) != 0) entries_[name] = {signature, true, false};
    }
    wait_for_start();
}

WatchedFolder::~WatchedFolder() {
    if (events_ >= 0) ::close(events_);
}

// Those that are there are put in order only once all of them are complete.
void WatchedFolder::wait_for_start() {
    const double end_s = now_s() + options_.start_s;
    const std::deque<std::string> first = std::move(queue_);
    queue_.clear();
    for (look(); growing_ && now_s() < end_s; look()) {
        std::this_thread::sleep_for(std::chrono::duration<double>(kGlance_s));
    }
    std::vector<std::string> names(queue_.begin(), queue_.end());
    sort_names(names);
    queue_ = first;
    queue_.insert(queue_.end(), names.begin(), names.end());
}

bool WatchedFolder::settled(const Entry& entry) const {
    return !entry.written && now_s() - entry.changed_s >= options_.settle_s;
}

void WatchedFolder::give(const std::string& name, Entry& entry) {
    const bool replaced = std::exchange(entry.given, true);
    entry.fresh = false;
    entry.signature = signature_of(path_, name);
    if (replaced && std::find(queue_.begin(), queue_.end(), name) != queue_.end()) return;  // it was not read yet
    queue_.push_back(name);
}

void WatchedFolder::closed(const std::string& name) {
    if (passed_over(name)) return;
    const std::int64_t signature = signature_of(path_, name);
    Entry& entry = entries_[name];
    entry.written = false;
    if (signature == 0 || (entry.given && !entry.fresh && entry.signature == signature)) return;
    give(name, entry);
}

void WatchedFolder::read_events() {
    if (events_ < 0) return;
    alignas(inotify_event) std::array<char, 16384> buffer;
    for (;;) {
        const ssize_t count = ::read(events_, buffer.data(), buffer.size());
        if (count <= 0) return;
        for (const char* at = buffer.data(); at < buffer.data() + count;) {
            const auto* event = reinterpret_cast<const inotify_event*>(at);
            at += sizeof(inotify_event) + event->len;
            if ((event->mask & IN_Q_OVERFLOW) != 0) looked_s_ = 0.0;  // something was lost: look at all
            const std::string name = event->len > 0 ? event->name : "";
            if ((event->mask & IN_MODIFY) != 0) entries_[name].written = true;
            if ((event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) closed(name);
            if ((event->mask & (IN_DELETE | IN_MOVED_FROM)) != 0) entries_.erase(name);
        }
    }
}

// The whole folder: what no event told of.
void WatchedFolder::look() {
    std::error_code error;
    fs::directory_iterator files(path_, error);
    if (error) throw Error(ExitCode::data, fmt::format("cannot watch {}: {}", path_, error.message()));
    const bool start = looked_s_ == 0.0;
    std::unordered_map<std::string, Entry> there;
    std::vector<std::string> found;
    growing_ = false;
    for (const fs::directory_entry& file : files) {
        const std::string name = file.path().filename().string();
        const std::int64_t signature = passed_over(name) ? 0 : signature_of(path_, name);
        if (signature == 0) continue;
        const auto before = entries_.find(name);
        Entry entry = before == entries_.end()
                          ? Entry{signature, false, true, false, now_s() - (start ? age_s(file.path()) : 0.0)}
                          : before->second;
        if (entry.signature != signature) {
            entry.signature = signature;
            entry.fresh = true;
            entry.changed_s = now_s();
        }
        if (entry.fresh && settled(entry)) found.push_back(name);
        growing_ = growing_ || (entry.fresh && !entry.written && !settled(entry));
        there[name] = entry;
    }
    entries_ = std::move(there);
    sort_names(found);
    for (const std::string& name : found) give(name, entries_[name]);
    looked_s_ = now_s();
}

double WatchedFolder::due_s() const { return looked_s_ + (growing_ ? kGlance_s : options_.poll_s) - now_s(); }

bool WatchedFolder::waiting() {
    read_events();
    if (due_s() <= 0.0) look();
    return !queue_.empty();
}

bool WatchedFolder::wait(double seconds) {
    if (waiting()) return true;
    pollfd event{events_, POLLIN, 0};
    const double most = std::max(0.0, std::min(seconds, due_s()));
    ::poll(&event, events_ >= 0 ? 1 : 0, static_cast<int>(1e3 * most) + 1);
    return waiting();
}

std::string WatchedFolder::take() {
    const std::string name = queue_.front();
    queue_.pop_front();
    return name;
}

std::vector<std::int64_t> WatchedFolder::seen() const {
    const std::unordered_set<std::string> queued(queue_.begin(), queue_.end());
    std::vector<std::int64_t> out;
    for (const auto& [name, entry] : entries_) {
        if (entry.given && !entry.fresh && queued.count(name) == 0) out.push_back(entry.signature);
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace nowcell
