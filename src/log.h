// Narration on stderr; results go to stdout and never through here.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>

namespace nowcell {

class Error;

/// -1 quiet (errors and warnings only), 0 normal, 1 verbose, 2 with stack traces.
void set_verbosity(int level);
int verbosity();

/// What stderr shows: a live line on a terminal and plain lines elsewhere (automatic), plain lines everywhere, lines
/// without progress (none), or one JSON object a line with "event" and "time" (json).
enum class Narration { automatic, plain, none, json };
void set_narration(Narration narration);
Narration narration();
Narration narration_from(const std::string& name);  ///< "auto" | "plain" | "none" | "json"; anything else is auto

void log_info(const std::string& text);     ///< what was chosen and why
void log_verbose(const std::string& text);  ///< shown with -v
void log_warning(const std::string& text);  ///< "warning: ..."

/// A failure as users read it, after `prefix`; shown whatever the verbosity.
void log_failure(const std::string& prefix, const Error& error);

/// With Narration::json a line of its own; nothing otherwise. facts: an object.
void log_object(const std::string& event, const nlohmann::ordered_json& facts);

/// While one lives, log lines go to a file too: plain text after the time in UTC, appended.
class LogFile {
 public:
    explicit LogFile(const std::string& path);  ///< Throws Error(output).
    ~LogFile();
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;

 private:
    struct Sink;
    std::unique_ptr<Sink> sink_;
};

/// A line that replaces itself on a terminal. Elsewhere (no terminal, TERM=dumb, CI set) it prints plain lines, at most
/// one in 30 s; finish() always prints the last text once.
class ProgressLine {
 public:
    ProgressLine();
    ~ProgressLine();  ///< clears an unfinished live line
    void update(const std::string& text);
    void finish(const std::string& text);

    /// Whether it is time for another line; who is told so calls show(). `done`: of a longer piece of work, 0..1; plain
    /// lines also wait for a fifteenth of it.
    bool due(double done);
    void show(const std::string& text);

 private:
    bool live_;
    double last_s_;
    double last_done_ = 0.0;
};

}  // namespace nowcell
