#include "src/stop_signal.h"

#include <csignal>

namespace nowcell {
namespace {

volatile std::sig_atomic_t received_signal = 0;

void note(int signal) {
    received_signal = signal;
    std::signal(signal, SIG_DFL);
}

}  // namespace

StopSignal::StopSignal() {
    received_signal = 0;
    std::signal(SIGINT, note);
    std::signal(SIGTERM, note);
}

StopSignal::~StopSignal() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
}

int StopSignal::received() const { return received_signal; }

}  // namespace nowcell
