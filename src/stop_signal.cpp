#include "src/stop_signal.h"

#include <csignal>

namespace nowcell {
namespace {

constexpr int kStopping[] = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t received_signal = 0;

void note(int signal) {
    received_signal = signal;
    std::signal(signal, SIG_DFL);
}

void handle(int signal, void (*handler)(int)) {
    if (std::signal(signal, handler) == SIG_IGN) std::signal(signal, SIG_IGN);
}

}  // namespace

StopSignal::StopSignal() {
    received_signal = 0;
    for (const int signal : kStopping) handle(signal, note);
    std::signal(SIGPIPE, SIG_IGN);
}

StopSignal::~StopSignal() {
    for (const int signal : kStopping) handle(signal, SIG_DFL);
    std::signal(SIGPIPE, SIG_DFL);
}

int StopSignal::received() const { return received_signal; }

ExitCode exit_code_of(int signal) {
    if (signal == 0) return ExitCode::ok;
    if (signal == SIGINT) return ExitCode::interrupted;
    return signal == SIGHUP ? ExitCode::hung_up : ExitCode::terminated;
}

}  // namespace nowcell
