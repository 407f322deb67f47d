// Stands in for nowcell-reader: misbehaves as the name of the file asks, else serves 3 recordings of 50 frames (2,3,4).
#include "data/reader/message.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <thread>

using namespace nowcell;

namespace {

constexpr std::int64_t kFrame = 2 * 3 * 4;

[[noreturn]] void crash() {
    std::signal(SIGSEGV, SIG_DFL);
    std::raise(SIGSEGV);
    ::_exit(1);
}

[[noreturn]] void hang() {
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

SourceInfo described(const SourceOptions& options) {
    SourceInfo info;
    info.path = options.path;
    info.dataset = "/frames";
    info.format = "stub";
    info.layout = "ntchw";
    info.units = "K";
    info.frames = {50, 50, 50};
    info.channels = 2;
    info.height = 3;
    info.width = 4;
    info.has_fill = true;
    info.fill = std::nan("");
    info.start =
        "\xb0"
        "2026";  // Latin-1
    info.breaks = {{7}, {}, {3, 9}};
    info.notes = {"a note"};
    return info;
}

void fill(float* out, const ReadRequest& request, bool with_missing) {
    for (std::int64_t i = 0; i < request.count * kFrame; ++i) {
        const std::int64_t t = request.first + i / kFrame;
        out[i] = static_cast<float>(request.recording * 10000 + t * 100 + i % kFrame);
        if (with_missing && t == 20 && i % kFrame == 17) out[i] = std::nanf("");
    }
}

}  // namespace

int main() {
    Message message;
    std::string mode;
    const auto forever = std::chrono::steady_clock::time_point::max();
    while (receive_message(kReaderSocket, message, std::size_t{1} << 30, forever) == Silence::none) {
        if (message.say == Say::open) {
            const SourceOptions options = options_from_json(message.body);
            mode = options.path.substr(options.path.rfind('/') + 1);
            if (mode == "crash-open") crash();
            if (mode == "hang-open") hang();
            if (mode == "exit-open") return 3;
            for (int i = 0; mode == "slow" && i < 8; ++i) {
                std::this_thread::sleep_for(std::chrono::milliseconds(100));
                send_message(kReaderSocket, Say::alive, "");
            }
            SourceInfo info = described(options);
            if (mode == "huge") info.height = info.width = 1 << 20;
            if (mode == "negative") info.width = -4;
            if (mode == "overflow") info.channels = info.height = info.width = std::int64_t{1} << 31;
            if (mode == "nonsense") {
                send_message(kReaderSocket, Say::info, "{\"path\": 7}");
            } else if (mode == "refuse") {
                send_message(kReaderSocket, Say::error,
                             to_json(Error(ExitCode::data, "no such thing", "here", "do that")));
            } else {
                send_message(kReaderSocket, Say::info, to_json(info));
            }
            continue;
        }
        if (mode == "crash-read") crash();
        if (mode == "hang-read") hang();
        struct stat file {};
        ::fstat(kReaderMemory, &file);
        const auto size = static_cast<std::size_t>(file.st_size);
        auto* memory = static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, kReaderMemory, 0));
        std::int64_t missing = 0;
        for (std::size_t at = 0; at < message.body.size(); at += sizeof(ReadRequest)) {
            ReadRequest request;
            std::memcpy(&request, message.body.data() + at, sizeof request);
            fill(reinterpret_cast<float*>(memory + request.position), request, mode == "missing");
            if (mode == "missing" && request.first <= 20 && request.first + request.count > 20) ++missing;
        }
        ::munmap(memory, size);
        send_message(kReaderSocket, Say::done, {reinterpret_cast<const char*>(&missing), sizeof missing});
    }
    return 0;
}
