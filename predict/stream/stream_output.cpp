#include "predict/stream/stream_output.h"

#include "data/write/npy_stream.h"
#include "src/error.h"
#include "src/files.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "forecast_";
constexpr const char* kSuffix = ".h5";

void write_all(int descriptor, const char* bytes, std::size_t count, const std::string& what) {
    for (std::size_t done = 0; done < count;) {
        const ssize_t wrote = ::write(descriptor, bytes + done, count - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) {
            throw Error(ExitCode::output, fmt::format("cannot write to {}: {}", what, std::strerror(errno)));
        }
        done += static_cast<std::size_t>(wrote);
    }
}

// What stands before the first dot of a forecast's name; "" for other names.
bool is_forecast(const std::string& name) {
    return name.rfind(kPrefix, 0) == 0 && fs::path(name).extension() == kSuffix;
}

}  // namespace

std::string forecast_name(const Offer& offer, std::int64_t sequence) {
    std::string text;
    if (offer.time && offer.time->dated) {
        std::copy_if(offer.time_text.begin(), offer.time_text.end(), std::back_inserter(text),
                     [](char c) { return c != '-' && c != ':'; });
    }
    if (text.empty()) text = fmt::format("{:08}", sequence);
    return kPrefix + text + kSuffix;
}

void ForecastOutput::begin(bool goes_on, bool force) {
    if (path_ == "-") return;
    check_folder_writable(path_);
    make_folder(path_);
    std::vector<std::string> found;
    for (const fs::directory_entry& file : fs::directory_iterator(path_)) {
        const std::string name = file.path().filename().string();
        if (name.rfind(kPrefix, 0) == 0 && is_temporary(name)) fs::remove(file.path());
        if (is_forecast(name)) found.push_back(name);
    }
    if (!found.empty() && !goes_on && !force) {
        throw Error(
            ExitCode::output, fmt::format("{} holds forecasts, {} for one", path_, found.front()), "",
            "choose another folder, go on with the --state that belongs to them, or add --force to replace them");
    }
    std::sort(found.begin(), found.end());
    if (keep_ > 0) files_.assign(found.begin(), found.end());
}

std::string ForecastOutput::write(const torch::Tensor& frames, const Offer& offer, std::int64_t sequence,
                                  ForecastRecord record) {
    if (path_ == "-") {
        const torch::Tensor values = frames.contiguous();
        const std::string header = npy_header(torch::kFloat32, values.sizes().vec());
        write_all(STDOUT_FILENO, header.data(), header.size(), "standard output");
        write_all(STDOUT_FILENO, static_cast<const char*>(values.const_data_ptr()), values.nbytes(), "standard output");
        return "-";
    }
    const std::string name = forecast_name(offer, sequence);
    const std::string path = path_ + "/" + name;
    record.source = offer.source;
    record.last_input = {static_cast<double>(offer.index)};
    write_forecast(path, frames.unsqueeze(0), record);
    if (keep_ == 0) return path;
    files_.erase(std::remove(files_.begin(), files_.end(), name), files_.end());  // it was replaced
    files_.push_back(name);
    for (; static_cast<std::int64_t>(files_.size()) > keep_; files_.pop_front()) {
        std::error_code ignored;
        fs::remove(path_ + "/" + files_.front(), ignored);
    }
    return path;
}

void StatusLines::write(const nlohmann::ordered_json& line) const {
    if (path_.empty()) return;
    const std::string text = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
                             "\n";  // a path may hold any bytes
    if (path_ == "-") return write_all(STDOUT_FILENO, text.data(), text.size(), "standard output");
    // Opened for each line: whoever moves the file away gets a new one.
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) {
        throw Error(ExitCode::output, fmt::format("cannot write {}: {}", path_, std::strerror(errno)), "",
                    "choose another --status");
    }
    try {
        write_all(file, text.data(), text.size(), path_);
    } catch (...) {
        ::close(file);
        throw;
    }
    ::close(file);
}

}  // namespace nowcell
