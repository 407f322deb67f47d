#include "src/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace nowcell {
namespace {

constexpr double kPlainInterval_s = 30.0;
constexpr double kLiveInterval_s = 0.1;

int& level() {
    static int value = 0;
    return value;
}

spdlog::logger& logger() {
    static spdlog::logger instance = [] {
        spdlog::logger made("nowcell", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made.set_pattern("%v");
        made.set_level(spdlog::level::info);
        return made;
    }();
    return instance;
}

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool live_terminal() {
    const char* term = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && std::getenv("CI") == nullptr && term != nullptr &&
           std::strcmp(term, "dumb") != 0;
}

}  // namespace

void set_verbosity(int value) {
    level() = value;
    logger().set_level(value < 0 ? spdlog::level::warn : value == 0 ? spdlog::level::info : spdlog::level::debug);
}

int verbosity() { return level(); }

void log_info(const std::string& text) { logger().info("{}", text); }
void log_verbose(const std::string& text) { logger().debug("{}", text); }
void log_warning(const std::string& text) { logger().warn("warning: {}", text); }

ProgressLine::ProgressLine() : live_(live_terminal()), last_s_(now_s()) {}

ProgressLine::~ProgressLine() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
}

void ProgressLine::update(const std::string& text) {
    const double now = now_s();
    if (level() < 0 || now - last_s_ < (live_ ? kLiveInterval_s : kPlainInterval_s)) return;
    last_s_ = now;
    if (!live_) return log_info(text);
    shown_ = true;
    std::fprintf(stderr, "\r%s\x1b[K", text.c_str());
    std::fflush(stderr);
}

void ProgressLine::finish(const std::string& text) {
    if (shown_) std::fputs("\r\x1b[K", stderr);
    shown_ = false;
    last_s_ = now_s();
    log_info(text);
}

}  // namespace nowcell
