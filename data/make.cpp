// The handler of data make.
#include "data/bouncing_digits.h"
#include "data/hdf5_io.h"
#include "src/files.h"
#include "src/report.h"

namespace nowcell {
namespace {

int make(const Request& request) {
    const BouncingDigitsOptions options{request.integer("--size", 64), request.integer("--frames", 20),
                                        request.integer("--count", 100), request.integer("--digits", 2),
                                        static_cast<std::uint64_t>(request.integer("--seed", 0))};
    const std::string path = request.text("--output");
    check_writable(path, request.has("--force"));
    const torch::Tensor frames = make_bouncing_digits(options);
    make_parent(path);
    write_hdf5(path,
               {{"/frames",
                 frames,
                 {1, options.frames, options.size, options.size},
                 {{"scale_factor", 1.0 / 255.0},
                  {"units", std::string("1")},
                  {"dimensions", std::string("recording time y x")}}}},
               {{"history", request.command_line}, {"seed", static_cast<double>(options.seed)}});
    deliver(request, path + "\n");
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_data_make(const nowcell::Request& request) { return nowcell::make(request); }
