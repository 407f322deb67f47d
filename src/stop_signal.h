// Ctrl-C and SIGTERM in long work: finish the step, save or clean up, then leave.
#pragma once

namespace nowcell {

/// While one lives, SIGINT and SIGTERM are noted instead of ending the program; a second one ends it at once.
class StopSignal {
 public:
    StopSignal();
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    int received() const;  ///< SIGINT, SIGTERM, or 0
};

}  // namespace nowcell
