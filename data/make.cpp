// The handler of data make: synthetic data sets.
#include "data/bouncing_digits.h"
#include "data/hdf5_io.h"
#include "data/moving_mnist.h"
#include "data/moving_squares.h"
#include "src/error.h"
#include "src/files.h"
#include "src/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace nowcell {
namespace {

// Flags that some kinds take and others do not.
struct OwnFlag {
    const char* name;
    std::vector<std::string> kinds;
};

const std::vector<OwnFlag> kOwnFlags = {{"--size", {"bouncing-digits", "moving-mnist"}},
                                        {"--digits", {"bouncing-digits", "moving-mnist"}},
                                        {"--images", {"moving-mnist"}},
                                        {"--first-image", {"moving-mnist"}},
                                        {"--last-image", {"moving-mnist"}},
                                        {"--shifted", {"moving-squares"}}};

void check_flags(const Request& request, const std::string& kind) {
    for (const OwnFlag& flag : kOwnFlags) {
        const bool takes = std::find(flag.kinds.begin(), flag.kinds.end(), kind) != flag.kinds.end();
        if (takes || !request.has(flag.name)) continue;
        throw Error(ExitCode::usage, fmt::format("data make {} takes no {}", kind, flag.name), "",
                    fmt::format("{} is for {}", flag.name, fmt::join(flag.kinds, " and ")));
    }
}

// A chunk is a sequence. `scale`: stored numbers times this are the values.
void write(const Request& request, const std::string& path, const torch::Tensor& frames, double scale) {
    std::vector<std::int64_t> chunk = frames.sizes().vec();
    chunk[0] = 1;
    make_parent(path);
    write_hdf5(
        path,
        {{"/frames",
          frames,
          chunk,
          {{"scale_factor", scale}, {"units", std::string("1")}, {"dimensions", std::string("recording time y x")}}}},
        {{"history", request.command_line}, {"seed", static_cast<double>(request.integer("--seed"))}});
}

bool same_place(const std::string& a, const std::string& b) {
    namespace fs = std::filesystem;
    return fs::weakly_canonical(fs::absolute(a)) == fs::weakly_canonical(fs::absolute(b));
}

void make_squares(const Request& request, const std::string& path) {
    const std::string shifted = request.text("--shifted");
    if (!shifted.empty()) {
        check_writable(shifted, request.has("--force"));
        if (same_place(shifted, path)) {
            throw Error(ExitCode::usage, "--shifted and --output name the same file: " + path);
        }
    }
    MovingSquaresOptions options;
    options.count = request.integer("--count", options.count);
    options.frames = request.integer("--frames", options.frames);
    options.seed = request.integer("--seed");
    const MovingSquares movies = make_moving_squares(options);
    if (!shifted.empty()) write(request, shifted, movies.shifted, 1.0);
    try {
        write(request, path, movies.noisy, 1.0);
    } catch (...) {
        if (!shifted.empty()) std::filesystem::remove(shifted);
        throw;
    }
}

void make_mnist(const Request& request, const std::string& path) {
    if (!request.has("--images")) {
        throw Error(ExitCode::usage, "data make moving-mnist needs --images FILE: digits to draw", "",
                    "nowcell data make moving-mnist --images train-images-idx3-ubyte.gz --output " + path);
    }
    const std::string images = request.text("--images");
    if (!std::filesystem::is_regular_file(images)) {
        throw Error(ExitCode::data, "cannot open " + images + ": no such file", "", similar_file(images));
    }
    MovingMnistOptions options;
    options.size = request.integer("--size", options.size);
    options.frames = request.integer("--frames", options.frames);
    options.count = request.integer("--count", options.count);
    options.digits = request.integer("--digits", options.digits);
    options.first_image = request.integer("--first-image", options.first_image);
    options.last_image = request.integer("--last-image", options.last_image);
    options.seed = static_cast<std::uint64_t>(request.integer("--seed"));
    write(request, path, make_moving_mnist(read_idx(images), options), 1.0 / 255.0);
}

void make_bouncing(const Request& request, const std::string& path) {
    const BouncingDigitsOptions options{request.integer("--size", 64), request.integer("--frames", 20),
                                        request.integer("--count", 100), request.integer("--digits", 2),
                                        static_cast<std::uint64_t>(request.integer("--seed"))};
    write(request, path, make_bouncing_digits(options), 1.0 / 255.0);
}

int make(const Request& request) {
    const std::string kind = request.text("KIND");
    const std::string path = request.text("--output");
    check_flags(request, kind);
    check_writable(path, request.has("--force"));
    if (kind == "moving-squares") {
        make_squares(request, path);
    } else if (kind == "moving-mnist") {
        make_mnist(request, path);
    } else {
        make_bouncing(request, path);
    }
    deliver(request, path + "\n");
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_data_make(const nowcell::Request& request) { return nowcell::make(request); }
