#include "src/log.h"

#include "src/error.h"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace nowcell {
namespace {

constexpr double kPlainInterval_s = 30.0;
constexpr double kObjectInterval_s = 1.0;
constexpr double kLiveInterval_s = 0.1;
constexpr double kPlainParts = 15.0;  // plain lines of a longer piece of work

enum class Style { plain, stamped, json };

std::string utc(std::time_t time) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(time)); }

std::string object(const std::string& event, std::time_t time, const nlohmann::ordered_json& rest) {
    nlohmann::ordered_json line = {{"event", event}, {"time", utc(time)}};
    line.update(rest);
    return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

class Lines : public spdlog::formatter {
 public:
    explicit Lines(Style style) : style_(style) {}

    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
        const std::string text(message.payload.begin(), message.payload.end());
        const std::time_t time = std::chrono::system_clock::to_time_t(message.time);
        const bool warning = message.level == spdlog::level::warn;
        const std::string line = style_ == Style::json ? object(warning ? "warning" : "info", time, {{"text", text}})
                                                       : (style_ == Style::stamped ? utc(time) + " " : "") +
                                                             (warning ? "warning: " : "") + text;
        fmt::format_to(std::back_inserter(out), "{}\n", line);
    }

    std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<Lines>(style_); }

 private:
    Style style_;
};

// What stderr is in the middle of.
struct Screen {
    int verbosity = 0;
    Narration narration = Narration::automatic;
    bool live_line = false;  // stands there, without an end
};

Screen& screen() {
    static Screen instance;
    return instance;
}

spdlog::level::level_enum level_for(int verbosity) {
    return verbosity < 0 ? spdlog::level::warn : verbosity == 0 ? spdlog::level::info : spdlog::level::debug;
}

// The first sink is stderr; each sink has a level of its own.
spdlog::logger& logger() {
    static spdlog::logger instance = [] {
        auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        sink->set_formatter(std::make_unique<Lines>(Style::plain));
        sink->set_level(spdlog::level::info);
        spdlog::logger made("nowcell", sink);
        made.set_level(spdlog::level::debug);
        made.flush_on(spdlog::level::debug);
        made.set_error_handler([](const std::string&) {});  // a full disk stops training elsewhere, with a clear error
        return made;
    }();
    return instance;
}

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool live_terminal() {
    const char* term = std::getenv("TERM");
    return screen().narration == Narration::automatic && ::isatty(STDERR_FILENO) == 1 && std::getenv("CI") == nullptr &&
           term != nullptr && std::strcmp(term, "dumb") != 0;
}

// Of the terminal: a longer live line would wrap and not replace itself.
std::size_t columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 4096;
}

void clear_live_line() {
    if (screen().live_line) std::fputs("\r\x1b[K", stderr);
    screen().live_line = false;
}

}  // namespace

void set_verbosity(int value) {
    screen().verbosity = value;
    logger().sinks().front()->set_level(level_for(value));
}

int verbosity() { return screen().verbosity; }

void set_narration(Narration narration) {
    screen().narration = narration;
    const Style style = narration == Narration::json ? Style::json : Style::plain;
    logger().sinks().front()->set_formatter(std::make_unique<Lines>(style));
}

Narration narration() { return screen().narration; }

Narration narration_from(const std::string& name) {
    return name == "plain"  ? Narration::plain
           : name == "none" ? Narration::none
           : name == "json" ? Narration::json
                            : Narration::automatic;
}

void log_info(const std::string& text) {
    clear_live_line();
    logger().info("{}", text);
}

void log_verbose(const std::string& text) {
    if (screen().verbosity > 0) clear_live_line();
    logger().debug("{}", text);
}

void log_warning(const std::string& text) {
    clear_live_line();
    logger().warn("{}", text);
}

void log_failure(const std::string& prefix, const Error& error) {
    clear_live_line();
    if (screen().narration != Narration::json) {
        std::fputs(error.block(prefix).c_str(), stderr);
        return;
    }
    nlohmann::ordered_json problems = nlohmann::ordered_json::array();
    for (const Problem& problem : error.problems()) {
        problems.push_back({{"what", problem.what}, {"where", problem.where}, {"hint", problem.hint}});
    }
    log_object("error", {{"code", static_cast<int>(error.code())}, {"problems", problems}});
}

void log_object(const std::string& event, const nlohmann::ordered_json& facts) {
    if (screen().narration != Narration::json) return;
    std::fprintf(stderr, "%s\n", object(event, std::time(nullptr), facts).c_str());
}

struct LogFile::Sink {
    std::shared_ptr<spdlog::sinks::basic_file_sink_mt> file;
};

LogFile::LogFile(const std::string& path) {
    try {
        sink_ = std::make_unique<Sink>(Sink{std::make_shared<spdlog::sinks::basic_file_sink_mt>(path)});
    } catch (const spdlog::spdlog_ex& error) {
        throw Error(ExitCode::output, fmt::format("cannot write {}: {}", path, error.what()));
    }
    sink_->file->set_formatter(std::make_unique<Lines>(Style::stamped));
    sink_->file->set_level(spdlog::level::info);
    logger().sinks().push_back(sink_->file);
}

LogFile::~LogFile() {
    auto& sinks = logger().sinks();
    sinks.erase(std::remove(sinks.begin(), sinks.end(), sink_->file), sinks.end());
}

ProgressLine::ProgressLine() : live_(live_terminal()), last_s_(now_s()) {}

ProgressLine::~ProgressLine() { clear_live_line(); }

bool ProgressLine::due(double done) {
    if (screen().verbosity < 0 || screen().narration == Narration::none) return false;
    const bool objects = screen().narration == Narration::json;
    const double interval = live_ ? kLiveInterval_s : objects ? kObjectInterval_s : kPlainInterval_s;
    const bool bunched = !live_ && !objects && done >= last_done_ && done - last_done_ < 1.0 / kPlainParts;
    if (now_s() - last_s_ < interval || bunched) return false;
    last_s_ = now_s();
    last_done_ = done;
    return true;
}

void ProgressLine::show(const std::string& text) {
    if (!live_) return log_info(text);
    screen().live_line = true;
    std::fprintf(stderr, "\r%s\x1b[K", text.substr(0, columns() - 1).c_str());
    std::fflush(stderr);
}

void ProgressLine::update(const std::string& text) {
    if (due(last_done_ + 1.0)) show(text);
}

void ProgressLine::finish(const std::string& text) {
    last_s_ = now_s();
    last_done_ = 0.0;
    log_info(text);
}

}  // namespace nowcell
