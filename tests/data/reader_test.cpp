#include "data/frame_source.h"
#include "data/reader/message.h"
#include "data/reader/shared_memory.h"
#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <thread>

using namespace nowcell;

namespace {

// Readers are the stub while this lives.
struct StubReaders {
    StubReaders() { ::setenv("NOWCELL_READER", stub_reader().c_str(), 1); }
    ~StubReaders() { ::unsetenv("NOWCELL_READER"); }
};

SourceOptions asking(const std::string& mode, int readers = 1, double request_s = 20.0) {
    SourceOptions options;
    options.path = "/stub/" + mode;
    options.readers = readers;
    options.limits.request_s = request_s;
    return options;
}

torch::Tensor expected(std::int64_t recording, std::int64_t first, std::int64_t count) {
    const torch::Tensor t = torch::arange(first, first + count, torch::kFloat32).view({count, 1, 1, 1}) * 100;
    return t + torch::arange(24, torch::kFloat32).view({1, 2, 3, 4}) + static_cast<double>(recording * 10000);
}

std::size_t open_files() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += entry.exists() ? 1 : 0;
    return count;
}

Error failure(const SourceOptions& options) {
    try {
        open_source(options)->read(0, 0, 50);
    } catch (const Error& error) {
        return error;
    }
    return {ExitCode::ok, "nothing failed"};
}

void check_failure(const SourceOptions& options, const std::string& text) {
    const Error error = failure(options);
    INFO(error.what());
    CHECK(error.code() == ExitCode::data);
    CHECK(holds(error.what(), text));
    CHECK(holds(error.what(), options.path));
}

}  // namespace

TEST_CASE("any number of readers gives the same frames") {
    const StubReaders stub;
    const std::vector<FrameRange> ranges = {{0, 0, 20}, {2, 30, 20}, {1, 7, 20}, {1, 8, 20}, {0, 29, 20}};
    for (const int readers : {1, 2, 4, 7}) {
        const auto source = open_source(asking("fine", readers));
        CHECK(source->info().units == "K");
        CHECK(source->info().start ==
              "\xc2\xb0"
              "2026");
        CHECK(std::isnan(source->info().fill));
        CHECK(source->info().breaks == std::vector<std::vector<std::int64_t>>{{7}, {}, {3, 9}});
        CHECK(source->info().notes == std::vector<std::string>{"a note"});
        const torch::Tensor frames = source->read_batch(ranges);
        REQUIRE(frames.sizes() == torch::IntArrayRef{5, 20, 2, 3, 4});
        for (std::size_t i = 0; i < ranges.size(); ++i) {
            const FrameRange& range = ranges[i];
            CHECK(frames[static_cast<std::int64_t>(i)].equal(expected(range.recording, range.first, range.count)));
        }
        CHECK(source->read(2, 49, 1).equal(expected(2, 49, 1)));
        CHECK(source->read(1, 5, 0).sizes() == torch::IntArrayRef{0, 2, 3, 4});
    }
}

TEST_CASE("frames stay what they were while others are read, from several threads") {
    const StubReaders stub;
    const auto source = open_source(asking("fine", 2));
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            std::vector<torch::Tensor> kept;
            for (std::int64_t i = 0; i < 20; ++i) kept.push_back(source->read(thread % 3, i, 20));
            for (std::int64_t i = 0; i < 20; ++i) {
                if (!kept[static_cast<std::size_t>(i)].equal(expected(thread % 3, i, 20))) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
}

TEST_CASE("a reader that crashes, hangs, lies or is missing is an error about the file") {
    const StubReaders stub;
    check_failure(asking("crash-open"), "the reader process ended by signal 11");
    check_failure(asking("crash-read", 2), "the reader process ended by signal 11");
    check_failure(asking("exit-open"), "the reader process ended with code 3");
    check_failure(asking("nonsense"), "its reader answers nonsense");
    check_failure(asking("huge"), "more than data.limits.memory");
    check_failure(asking("negative"), "tells of no frames");
    check_failure(asking("overflow"), "tells of no frames");
    const Error refused = failure(asking("refuse"));
    CHECK(refused.problems().front().what == "no such thing");
    CHECK(refused.problems().front().where == "here");
    CHECK(refused.problems().front().hint == "do that");
    const auto begin = std::chrono::steady_clock::now();
    check_failure(asking("hang-open", 1, 0.3), "no answer within data.limits.request_s = 0.3 s");
    check_failure(asking("hang-read", 2, 0.3), "no answer within data.limits.request_s = 0.3 s");
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
    ::setenv("NOWCELL_READER", "/nowhere/nowcell-reader", 1);
    const Error missing = failure(asking("fine"));
    CHECK(missing.code() == ExitCode::device);
    CHECK(holds(missing.what(), "/nowhere/nowcell-reader"));
}

TEST_CASE("signs of life keep a slow opening from being given up") {
    const StubReaders stub;
    CHECK(open_source(asking("slow", 1, 0.5))->info().channels == 2);
}

TEST_CASE("a crash is forgotten: the next request starts another reader") {
    const StubReaders stub;
    const auto source = open_source(asking("crash-read"));
    for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(source->read(0, 0, 1), Error);
    CHECK(source->info().width == 4);
}

TEST_CASE("the policies for missing values") {
    const StubReaders stub;
    SourceOptions options = asking("missing", 2);
    try {
        open_source(options)->read(1, 15, 20);
        FAIL("nothing thrown");
    } catch (const Error& error) {
        CHECK(error.problems().front().where == "/frames[1,20,1,1,1]");  // the 17th of 2 x 3 x 4 values
        CHECK(holds(error.what(), "1 of 480 values"));
    }
    options.missing = "zero";
    CHECK(open_source(options)->read(1, 15, 20)[5][1][1][1].item<float>() == 0.0F);
    for (const char* policy : {"mask", "hold"}) {
        options.missing = policy;
        CHECK(std::isnan(open_source(options)->read(1, 15, 20)[5][1][1][1].item<float>()));
    }
    options.missing = "ignore";
    CHECK_THROWS_AS(open_source(options), Error);
    options.missing = "mask";
    options.trust = "blindly";
    CHECK_THROWS_AS(open_source(options), Error);
}

TEST_CASE("no process and no open file is left behind") {
    const StubReaders stub;
    const std::size_t before = open_files();
    for (const char* mode : {"fine", "crash-open", "crash-read", "refuse"}) failure(asking(mode, 3));
    CHECK(open_files() == before);
    CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);  // no child at all
}

TEST_CASE("shared memory is used again, and given back when there is much of it") {
    const auto memory = SharedMemory::create();
    const auto first = memory->take(1000);
    const std::byte* place = first->data;
    auto second = memory->take(1000);
    CHECK(second->data != place);
    const std::byte* second_place = second->data;
    second.reset();
    CHECK(memory->take(50)->data == second_place);
    {
        std::vector<std::shared_ptr<const SharedMemory::Block>> many;
        for (int i = 0; i < 6; ++i) {
            many.push_back(memory->take(std::size_t{40} << 20));
            std::fill_n(many.back()->data, many.back()->bytes, std::byte{1});
        }
    }
    struct stat file {};
    ::fstat(memory->descriptor(), &file);
    CHECK(file.st_blocks * 512 <= std::int64_t{90} << 20);  // of 240 MiB
}

TEST_CASE("messages of any length arrive whole, and those too long do not") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    const std::string text(3 << 20, 'x');
    std::thread sender([&] {
        send_message(ends[0], Say::info, text);
        send_message(ends[0], Say::info, text);
    });
    const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    Message message;
    CHECK(receive_message(ends[1], message, text.size(), soon) == Silence::none);
    CHECK(message.body == text);
    CHECK(receive_message(ends[1], message, text.size() - 1, soon) == Silence::closed);
    ::close(ends[1]);
    sender.join();
    CHECK_FALSE(send_message(ends[0], Say::info, text));
    ::close(ends[0]);
}
