// Ctrl-C, SIGTERM and a closed terminal in long work: finish the step, save or clean up, then leave.
#pragma once

#include "src/error.h"

namespace nowcell {

/// While one lives, SIGINT, SIGTERM and SIGHUP are noted instead of ending the program; a second one ends it at once.
/// What was ignored before, as nohup does, stays ignored. Narration that nobody reads any more (SIGPIPE) ends nothing.
class StopSignal {
 public:
    StopSignal();
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    int received() const;  ///< the signal, or 0
};

/// What a program ends with that such a signal has stopped.
ExitCode exit_code_of(int signal);

}  // namespace nowcell
