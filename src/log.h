// Narration on stderr; results go to stdout and never through here.
#pragma once

#include <string>

namespace nowcell {

/// -1 quiet (errors and warnings only), 0 normal, 1 verbose, 2 with stack traces.
void set_verbosity(int level);
int verbosity();

void log_info(const std::string& text);     ///< what was chosen and why
void log_verbose(const std::string& text);  ///< shown with -v
void log_warning(const std::string& text);  ///< "warning: ..."

/// A line that replaces itself on a terminal. Elsewhere (no terminal, TERM=dumb, CI set) it prints plain lines, at most
/// one in 30 s; finish() always prints the last text once.
class ProgressLine {
 public:
    ProgressLine();
    ~ProgressLine();  ///< clears an unfinished live line
    void update(const std::string& text);
    void finish(const std::string& text);

 private:
    bool live_;
    double last_s_;
    bool shown_ = false;
};

}  // namespace nowcell
