#include "data/reader/process.h"

#include "data/reader/frame_fetcher.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

extern char** environ;

namespace nowcell {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLargestAnswer = std::size_t{256} << 20;

struct Spawn {
    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
    Spawn() {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
    }
    ~Spawn() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
};

// posix_spawn shares the address space until the program starts: a fork of a process with LibTorch in it is not safe.
pid_t start(const std::string& program, int socket, int memory) {
    Spawn spawn;
    for (const int standard : {0, 1, 2}) {
        posix_spawn_file_actions_addopen(&spawn.actions, standard, "/dev/null", O_RDWR, 0);
    }
    posix_spawn_file_actions_adddup2(&spawn.actions, socket, kReaderSocket);
    posix_spawn_file_actions_adddup2(&spawn.actions, memory, kReaderMemory);
    posix_spawn_file_actions_addclosefrom_np(&spawn.actions, kReaderMemory + 1);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&spawn.attributes, &none);
    posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK);
    std::string name = program;
    std::array<char*, 2> words = {name.data(), nullptr};
    pid_t process = -1;
    const int error =
        ::posix_spawn(&process, program.c_str(), &spawn.actions, &spawn.attributes, words.data(), environ);
    if (error == 0) return process;
    throw Error(ExitCode::device, fmt::format("cannot start {}: {}", program, std::strerror(error)), "",
                "or read in this process, if you trust your files: data.trust = \"direct\"");
}

Clock::duration seconds(double count) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

}  // namespace

std::string reader_program() {
    if (const char* named = std::getenv("NOWCELL_READER")) return named;
    Dl_info library{};
    ::dladdr(reinterpret_cast<const void*>(&reader_program), &library);
    std::error_code ignored;
    const fs::path folder = fs::absolute(library.dli_fname == nullptr ? "" : library.dli_fname, ignored).parent_path();
    for (const char* place : {"../bin", "../../bin", "."}) {
        const fs::path program = folder / place / "nowcell-reader";
        if (fs::exists(program, ignored)) return program.lexically_normal().string();
    }
    throw Error(ExitCode::device, fmt::format("no nowcell-reader beside {}, which reads files", folder.string()), "",
                "install it again, name it in NOWCELL_READER, or trust your files: data.trust = \"direct\"");
}

ReaderProcess::ReaderProcess(const SharedMemory& memory, const SourceOptions& options)
    : path_(options.path), limits_(options.limits) {
    std::array<int, 2> ends{};
    // Above the numbers that the reader's ends get, so that neither is closed when the other is put in place.
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        throw Error(ExitCode::device, fmt::format("cannot start a reader: {}", std::strerror(errno)));
    }
    socket_ = ends[0];
    const int theirs = ::fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    const int shared = ::fcntl(memory.descriptor(), F_DUPFD_CLOEXEC, 10);
    ::close(ends[1]);
    try {
        process_ = start(reader_program(), theirs, shared);
    } catch (...) {
        for (const int open : {socket_, theirs, shared}) ::close(open);
        throw;
    }
    ::close(theirs);
    ::close(shared);
}

ReaderProcess::~ReaderProcess() {
    ::close(socket_);
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void ReaderProcess::ask(Say say, const std::string& body) {
    opening_ = say == Say::open;
    deadline_ = Clock::now() + seconds(limits_.request_s);
    busy_ = true;
    if (!send_message(socket_, say, body)) fail_dead();
}

Message ReaderProcess::answer() {
    Message message;
    const Silence silence = receive_message(socket_, message, kLargestAnswer, deadline_);
    if (silence == Silence::closed) fail_dead();
    if (silence == Silence::late) fail_late();
    busy_ = message.say == Say::alive;
    if (busy_) deadline_ = Clock::now() + seconds(limits_.request_s);
    if (message.say == Say::error) throw error_from_json(message.body);
    return message;
}

void ReaderProcess::check_time() const {
    if (busy_ && Clock::now() > deadline_) fail_late();
}

void ReaderProcess::fail_late() const {
    throw Error(ExitCode::data,
                fmt::format("cannot {} {}: no answer within data.limits.request_s = {:g} s, so it was given up",
                            opening_ ? "open" : "read", path_, limits_.request_s),
                "", "the file is damaged or hostile; or, if its storage is slow: data.limits.request_s = 60");
}

void ReaderProcess::fail_dead() {
    int status = 0;
    const bool ended = ::waitpid(process_, &status, 0) == process_;
    process_ = -1;
    if (ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) fail_late();
    const std::string how = ended && WIFSIGNALED(status)
                                ? fmt::format("by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                                : fmt::format("with code {}", WEXITSTATUS(status));
    throw Error(ExitCode::data,
                fmt::format("cannot {} {}: the reader process ended {}", opening_ ? "open" : "read", path_, how), "",
                "the file is damaged or hostile: copy or download it again");
}

}  // namespace nowcell
