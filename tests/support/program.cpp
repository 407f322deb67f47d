#include "tests/support/program.h"

#include "tests/support/files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace {

std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

[[noreturn]] void become_program(const std::vector<std::string>& words, const std::string& folder,
                                 const std::string& out, const std::string& err) {
    std::vector<char*> arguments;
    std::string program = NOWCELL_PROGRAM;
    arguments.push_back(program.data());
    std::vector<std::string> copies = words;
    for (std::string& word : copies) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (!folder.empty() && ::chdir(folder.c_str()) != 0) ::_exit(126);
    ::dup2(::open("/dev/null", O_RDONLY), 0);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
}

}  // namespace

Outcome run_nowcell(const std::vector<std::string>& words, const std::string& folder) {
    return run_nowcell_for(words, folder, 0.0, 0);
}

Outcome run_nowcell_for(const std::vector<std::string>& words, const std::string& folder, double seconds, int signal) {
    const TemporaryFolder scratch;
    const pid_t child = ::fork();
    if (child == 0) become_program(words, folder, scratch.path("out"), scratch.path("err"));
    int status = 0;
    rusage used{};
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    bool over = false;
    while (signal != 0 && !over && std::chrono::steady_clock::now() < end) {
        over = ::wait4(child, &status, WNOHANG, &used) == child;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (!over && signal != 0) ::kill(child, signal);
    if (!over) ::wait4(child, &status, 0, &used);
    const auto seconds_of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of(scratch.path("out")),
            text_of(scratch.path("err")), seconds_of(used.ru_utime) + seconds_of(used.ru_stime)};
}

std::string nowcell_program() { return NOWCELL_PROGRAM; }

std::string stub_reader() { return NOWCELL_STUB_READER; }

std::vector<std::string> tree(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        names.push_back(std::filesystem::relative(entry.path(), folder).string());
    }
    std::sort(names.begin(), names.end());
    return names;
}
