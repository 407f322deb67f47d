// nowcell-reader: decodes frames of one file for a program that started it, so that a file which crashes or hangs a
// library harms nobody. Ends when the program does.
#include "data/formats/frame_reader.h"
#include "data/reader/message.h"

#include <fmt/format.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

namespace nowcell {
namespace {

constexpr std::size_t kLargestRequest = std::size_t{64} << 20;

// Bytes of private memory that this process may write to: what RLIMIT_DATA counts.
rlim_t data_bytes() {
    unsigned long pages[6] = {};
    if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
        for (unsigned long& count : pages) {
            if (std::fscanf(file, "%lu", &count) != 1) break;
        }
        std::fclose(file);
    }
    return pages[5] * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

void limit(__rlimit_resource resource, rlim_t most) {
    const rlimit both{most, most};
    ::setrlimit(resource, &both);
}

void restrict_process() {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);  // a reader writes no files
    // Ctrl-C is for the program, which may want to finish what it has begun.
    std::signal(SIGINT, SIG_IGN);
    std::signal(SIGTERM, SIG_IGN);
}

void restrict_memory(std::int64_t bytes) {
#if !defined(__SANITIZE_ADDRESS__)  // whose shadow is larger than any limit
    limit(RLIMIT_DATA, data_bytes() + static_cast<rlim_t>(bytes));
#else
    static_cast<void>(bytes);
    static_cast<void>(data_bytes);
#endif
}

// The program's memory for frames, mapped as far as it has grown.
class Memory {
 public:
    float* at(const ReadRequest& request) {
        const std::int64_t end = request.position + request.bytes;
        if (end > size_) grow(end);
        return reinterpret_cast<float*>(data_ + request.position);
    }

 private:
    void grow(std::int64_t least) {
        if (data_ != nullptr) ::munmap(data_, static_cast<std::size_t>(size_));
        struct stat file {};
        ::fstat(kReaderMemory, &file);
        void* data = file.st_size < least ? MAP_FAILED
                                          : ::mmap(nullptr, static_cast<std::size_t>(file.st_size),
                                                   PROT_READ | PROT_WRITE, MAP_SHARED, kReaderMemory, 0);
        if (data == MAP_FAILED) ::_exit(1);
        data_ = static_cast<char*>(data);
        size_ = file.st_size;
    }

    char* data_ = nullptr;
    std::int64_t size_ = 0;
};

class Server {
 public:
    // Answers until the program is gone.
    void run() {
        Message message;
        while (receive_message(kReaderSocket, message, kLargestRequest, std::chrono::steady_clock::time_point::max()) ==
               Silence::none) {
            answer(message);
            ::alarm(0);
        }
    }

 private:
    void answer(const Message& message) {
        try {
            if (message.say == Say::open) {
                open(options_from_json(message.body));
            } else if (message.say == Say::read) {
                read(message.body);
            }
        } catch (const Error& error) {
            send_message(kReaderSocket, Say::error, to_json(error));
        } catch (const std::bad_alloc&) {
            fail(fmt::format("more memory is needed than data.limits.memory = {:.3g} GiB",
                             static_cast<double>(limits_.memory) / 0x1p30),
                 "the file is damaged or hostile; or, if it is as large as that: data.limits.memory = \"4GiB\"");
        } catch (const std::exception& error) {
            fail(error.what(), "");
        }
    }

    void fail(const std::string& why, const std::string& hint) const {
        send_message(kReaderSocket, Say::error,
                     to_json(Error(ExitCode::data, fmt::format("cannot read {}: {}", path_, why), "", hint)));
    }

    // The program gives up first; this is for when there is no program any more.
    void set_alarm() const { ::alarm(static_cast<unsigned>(limits_.request_s) + 2); }

    void open(SourceOptions options) {
        path_ = options.path;
        limits_ = options.limits;
        restrict_memory(limits_.memory);
        set_alarm();
        options.alive = [this, last = std::chrono::steady_clock::now()]() mutable {
            const auto now = std::chrono::steady_clock::now();
            if (now - last < std::chrono::seconds(1)) return;
            last = now;
            set_alarm();
            send_message(kReaderSocket, Say::alive, "");
        };
        reader_ = open_frames(options);
        send_message(kReaderSocket, Say::info, to_json(reader_->info()));
    }

    void read(const std::string& body) {
        set_alarm();
        std::int64_t missing = 0;
        for (std::size_t at = 0; at + sizeof(ReadRequest) <= body.size(); at += sizeof(ReadRequest)) {
            ReadRequest request;
            std::memcpy(&request, body.data() + at, sizeof request);
            missing += reader_->read(request.recording, request.first, request.count, memory_.at(request));
        }
        send_message(kReaderSocket, Say::done, {reinterpret_cast<const char*>(&missing), sizeof missing});
    }

    std::unique_ptr<FrameReader> reader_;
    Memory memory_;
    std::string path_;
    ReaderLimits limits_;
};

}  // namespace
}  // namespace nowcell

int main() {
    struct stat socket {};
    if (::fstat(nowcell::kReaderSocket, &socket) != 0 || !S_ISSOCK(socket.st_mode)) {
        std::fputs("nowcell-reader: error: this program is started by nowcell, which talks to it\n", stderr);
        return 2;
    }
    nowcell::restrict_process();
    nowcell::Server().run();
    return 0;
}
