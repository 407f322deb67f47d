// System calls of this process that fail on demand. Linked into a program, its definitions stand in front of libc's.
#pragma once

namespace faults {

/// What happens at the chosen call.
enum class Kind {
    none,         ///< calls are only counted
    error,        ///< it fails with the given errno
    short_write,  ///< a write takes half of its bytes, and the next one fails with the given errno
    kill,         ///< the process is killed with SIGKILL before it
};

/// From now on counts open, write, fstat, fsync, fdatasync, link and rename of any thread on files, and acts at the
/// call number `at`, from 1.
void arm(Kind kind, int at, int error);

/// Stops; returns how many calls there were.
int disarm();

}  // namespace faults
