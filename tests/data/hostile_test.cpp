// Files made to crash or exhaust their readers: each is read right or refused, and nobody else is harmed.
#include "data/frame_source.h"
#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <chrono>
#include <filesystem>
#include <fstream>

using namespace nowcell;

namespace {

struct Tally {
    int refused = 0;
    int read = 0;
    double slowest_s = 0.0;
};

void read_all(const FrameSource& source) {
    const SourceInfo& info = source.info();
    for (std::size_t recording = 0; recording < info.frames.size(); ++recording) {
        for (std::int64_t t = 0; t < info.frames[recording]; t += 16) {
            source.read(static_cast<std::int64_t>(recording), t,
                        std::min<std::int64_t>(16, info.frames[recording] - t));
        }
    }
}

Tally read_folder(const std::string& folder) {
    Tally tally;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        INFO(entry.path().string());
        SourceOptions options;
        options.path = entry.path().string();
        options.missing = "mask";
        options.readers = 1;
        const auto begin = std::chrono::steady_clock::now();
        try {
            read_all(*open_source(options));
            ++tally.read;
        } catch (const Error& error) {
            CHECK(error.code() == ExitCode::data);
            CHECK(std::string(error.what()).size() > 20);
            ++tally.refused;
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        tally.slowest_s = std::max(tally.slowest_s, took.count());
    }
    return tally;
}

}  // namespace

TEST_CASE("hostile HDF5 files are read or refused within the time limit") {
    const std::string folder = shared_data("hostile_hdf5");
    if (folder.empty()) {
        WARN("skipped: no hostile files here");
        return;
    }
    const Tally tally = read_folder(folder);
    CHECK(tally.refused > 60);
    CHECK(tally.read > 0);
    CHECK(tally.slowest_s < 10.0);
}

TEST_CASE("hostile pictures are read or refused within the time limit") {
    const std::string folder = shared_data("hostile_images");
    if (folder.empty()) {
        WARN("skipped: no hostile files here");
        return;
    }
    const Tally tally = read_folder(folder);
    CHECK(tally.refused > 30);
    CHECK(tally.read > 20);  // the valid odd ones
    CHECK(tally.slowest_s < 10.0);
}

TEST_CASE("a picture or an array that claims more than the limit of memory is refused before it is decoded") {
    const TemporaryFolder folder;
    SourceOptions options;
    options.readers = 1;
    options.limits.memory = 64 << 20;
    options.path = folder.path("huge.npy");
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 30000, 30000), }";
    header.resize(117, ' ');
    std::ofstream(options.path, std::ios::binary) << std::string("\x93NUMPY\x01\x00\x76\x00", 10) << header << '\n';
    std::filesystem::resize_file(options.path, 128 + std::uintmax_t{8} * 30000 * 30000);  // a hole
    try {
        open_source(options);
        FAIL("opened");
    } catch (const Error& error) {
        INFO(error.what());
        CHECK(error.code() == ExitCode::data);
        CHECK(holds(error.what(), "data.limits.memory"));
    }
}
