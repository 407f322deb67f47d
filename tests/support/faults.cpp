#include "tests/support/faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>

namespace faults {
namespace {

std::atomic<bool> armed{false};
std::atomic<int> calls{0};
Kind chosen = Kind::none;
int chosen_call = 0;
int chosen_error = 0;

// True when this call is to fail; errno is then set.
bool fails(bool is_write) {
    if (!armed) return false;
    const int call = ++calls;
    const bool second = chosen == Kind::short_write && call == chosen_call + 1 && is_write;
    if (call != chosen_call && !second) return false;
    if (chosen == Kind::kill) ::kill(::getpid(), SIGKILL);
    if (chosen != Kind::error && !second) return false;
    errno = chosen_error;
    return true;
}

bool shortens() { return armed && chosen == Kind::short_write && calls == chosen_call; }

template <typename Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

void arm(Kind kind, int at, int error) {
    chosen = kind;
    chosen_call = at;
    chosen_error = error;
    calls = 0;
    armed = true;
}

int disarm() {
    armed = false;
    return calls;
}

}  // namespace faults

extern "C" {

int open(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    static const auto real = faults::next<int (*)(const char*, int, ...)>("open");
    return faults::fails(false) ? -1 : real(path, flags, mode);
}

ssize_t write(int file, const void* bytes, size_t count) {
    static const auto real = faults::next<ssize_t (*)(int, const void*, size_t)>("write");
    if (file <= STDERR_FILENO) return real(file, bytes, count);
    if (faults::fails(true)) return -1;
    return real(file, bytes, faults::shortens() ? (count + 1) / 2 : count);
}

int fstat(int file, struct stat* status) noexcept {
    static const auto real = faults::next<int (*)(int, struct stat*)>("fstat");
    return faults::fails(false) ? -1 : real(file, status);
}

int fsync(int file) {
    static const auto real = faults::next<int (*)(int)>("fsync");
    return faults::fails(false) ? -1 : real(file);
}

int fdatasync(int file) {
    static const auto real = faults::next<int (*)(int)>("fdatasync");
    return faults::fails(false) ? -1 : real(file);
}

int link(const char* from, const char* to) noexcept {
    static const auto real = faults::next<int (*)(const char*, const char*)>("link");
    return faults::fails(false) ? -1 : real(from, to);
}

int rename(const char* from, const char* to) noexcept {
    static const auto real = faults::next<int (*)(const char*, const char*)>("rename");
    return faults::fails(false) ? -1 : real(from, to);
}

}  // extern "C"
