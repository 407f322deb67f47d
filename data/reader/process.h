// One reader process, seen from the program.
#pragma once

#include "data/reader/message.h"
#include "data/reader/shared_memory.h"

#include <sys/types.h>

#include <chrono>
#include <string>

namespace nowcell {

/// Starts, talks to and ends one `nowcell-reader`. Not thread-safe.
class ReaderProcess {
 public:
    /// Throws Error(device) when the program is not found or does not start.
    ReaderProcess(const SharedMemory& memory, const SourceOptions& options);
    ~ReaderProcess();
    ReaderProcess(const ReaderProcess&) = delete;
    ReaderProcess& operator=(const ReaderProcess&) = delete;

    /// Sends a request; the time for its answer begins.
    void ask(Say say, const std::string& body);

    /// The answer, once descriptor() can be read. A sign of life renews the time and is passed on.
    /// Throws Error(data) when the process died, when it is late, or when it answers with an error.
    Message answer();

    /// Throws Error(data) when the answer is late.
    void check_time() const;

    bool busy() const { return busy_; }
    int descriptor() const { return socket_; }
    std::chrono::steady_clock::time_point deadline() const { return deadline_; }

 private:
    [[noreturn]] void fail_dead();
    [[noreturn]] void fail_late() const;

    std::string path_;  // of the file, for messages
    ReaderLimits limits_;
    int socket_ = -1;
    pid_t process_ = -1;
    bool busy_ = false;
    bool opening_ = false;
    std::chrono::steady_clock::time_point deadline_;
};

}  // namespace nowcell
