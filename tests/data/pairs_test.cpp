#include "data/data_options.h"
#include "data/loader.h"
#include "data/paired_source.h"
#include "data/write/hdf5_io.h"
#include "src/error.h"
#include "tests/data/fake_source.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace nowcell;

namespace {

// Three recordings; the target of a frame is its number plus 0.5.
std::unique_ptr<FrameSource> numbered_pairs(std::int64_t frames = 12) {
    std::vector<torch::Tensor> input, target;
    for (std::int64_t i = 0; i < 3; ++i) {
        input.push_back(numbered_frames(i, frames));
        target.push_back(numbered_frames(i, frames) + 0.5);
    }
    return pair_sources(std::make_unique<FakeSource>(input), std::make_unique<FakeSource>(target));
}

WindowOptions paired(std::int64_t input_steps, std::int64_t output_steps, std::int64_t history = 0) {
    WindowOptions window{input_steps, output_steps, 1, history};
    window.paired = true;
    return window;
}

std::vector<float> numbers(const torch::Tensor& frames) {  // (T,C,H,W)
    const torch::Tensor first = frames.flatten(1).select(1, 0).contiguous();
    return {first.const_data_ptr<float>(), first.const_data_ptr<float>() + first.numel()};
}

std::string message(const std::function<void()>& action, ExitCode code) {
    try {
        action();
    } catch (const Error& error) {
        CHECK(error.code() == code);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("the truth of lead k is what follows input frame T_in - 1 + k - 1") {
    const auto source = numbered_pairs();
    const Batch batch = read_windows(*source, paired(4, 3, 6), {{1, 5}});
    CHECK(numbers(batch.past[0]) == std::vector<float>{1003, 1004, 1005, 1006, 1007, 1008});
    CHECK(numbers(batch.target[0]) == std::vector<float>{1008.5, 1009.5, 1010.5});
    CHECK(numbers(batch.taught[0]) == std::vector<float>{1005.5, 1006.5, 1007.5, 1008.5, 1009.5, 1010.5});
    CHECK(numbers(batch.later[0]) == std::vector<float>{1009, 1010});
    const Batch past = read_windows(*source, paired(4, 3), {{0, 8}}, false);
    CHECK(numbers(past.past[0]) == std::vector<float>{8, 9, 10, 11});
    CHECK_FALSE(past.target.defined());
    CHECK_FALSE(past.taught.defined());
    WindowOptions alone = paired(4, 3);
    alone.paired = false;
    CHECK(numbers(read_windows(*source, alone, {{0, 0}}).target[0]) == std::vector<float>{4, 5, 6});
}

TEST_CASE("windows of pairs reach to the last frame that has a target") {
    const auto starts = [](const WindowOptions& window) {
        return cut_windows(numbered_pairs(15)->info(), window, {}, Part::all).size() / 3;
    };
    CHECK(starts(paired(15, 1)) == 1);
    CHECK(starts(paired(1, 1)) == 15);
    CHECK(starts(paired(10, 3)) == 4);
    CHECK(message([&] { starts(paired(15, 2)); }, ExitCode::data).find("15 + output_steps 2 - 1 need 16") !=
          std::string::npos);
    WindowOptions far = paired(2, 1);
    far.frame_step = 2;
    CHECK(message([&] { starts(far); }, ExitCode::usage).find("data.frame_step = 2") != std::string::npos);
}

TEST_CASE("what a pair shows and teaches is seen from the same side") {
    at::manual_seed(4);
    const torch::Tensor frames = at::rand({12, 1, 8, 8});
    const auto source = pair_sources(std::make_unique<FakeSource>(std::vector<torch::Tensor>{frames}),
                                     std::make_unique<FakeSource>(std::vector<torch::Tensor>{frames + 1}));
    const WindowOptions window = paired(4, 2);
    const std::vector<Window> windows = cut_windows(source->info(), window, {}, Part::all);
    Loader loader(*source, window, windows,
                  {.batch = 4, .shuffle = true, .seed = 2, .augment = {true, true, true, false, {5, 5}}});
    loader.start_epoch(0);
    std::int64_t seen = 0;
    for (Batch batch; loader.next(batch); seen += batch.past.size(0)) {
        CHECK(batch.taught.equal(at::cat({batch.past, batch.later}, 1) + 1));
        CHECK(batch.target.equal(batch.taught.slice(1, -2)));
    }
    CHECK(seen == static_cast<std::int64_t>(windows.size()));
    const auto reversed = [&] { Loader(*source, window, windows, {.augment = {.reverse_time = true}}); };
    CHECK(message(reversed, ExitCode::usage).find("reverse-time") != std::string::npos);
}

TEST_CASE("missing targets are those of the other source") {
    torch::Tensor target = numbered_frames(0, 8);
    target[4].fill_(std::nanf(""));
    const auto source = pair_sources(std::make_unique<FakeSource>(std::vector<torch::Tensor>{numbered_frames(0, 8)}),
                                     std::make_unique<FakeSource>(std::vector<torch::Tensor>{target}));
    CHECK_FALSE(read_windows(*source, paired(3, 2), {{0, 0}}).valid.defined());  // frames 2 and 3
    const Batch batch = read_windows(*source, paired(3, 2), {{0, 1}});           // frames 3 and 4
    REQUIRE(batch.valid.defined());
    CHECK(batch.valid[0][0].all().item<bool>());
    CHECK_FALSE(batch.valid[0][1].any().item<bool>());
}

TEST_CASE("pairs of another shape are refused with both shapes") {
    const auto pair_with = [](std::vector<torch::Tensor> target) {
        pair_sources(std::make_unique<FakeSource>(std::vector<torch::Tensor>{numbered_frames(0, 8)}),
                     std::make_unique<FakeSource>(std::move(target)));
    };
    pair_with({numbered_frames(0, 8)});
    for (const auto& target : {numbered_frames(0, 7), numbered_frames(0, 8, 3, 3)}) {
        const std::string text = message([&] { pair_with({target}); }, ExitCode::data);
        CHECK(text.find("expected 8 frames in 1 recordings, 1 channels of 2x3 px") != std::string::npos);
    }
    message([&] { pair_with({numbered_frames(0, 4), numbered_frames(0, 4)}); }, ExitCode::data);
}

TEST_CASE("the targets are a dataset of the same file, or another file") {
    const TemporaryFolder folder;
    const torch::Tensor frames = at::rand({2, 6, 4, 4});
    write_hdf5(folder.path("both.h5"), {{"/noisy", frames, {}, {}}, {"/clean", frames + 1, {}, {}}}, {});
    write_hdf5(folder.path("a.h5"), {{"/frames", frames, {}, {}}}, {});
    write_hdf5(folder.path("b.h5"), {{"/frames", frames + 1, {}, {}}}, {});
    const auto opened = [&](std::vector<std::string> keys) {
        const Config config = Config::parse("[[model.layers]]\nfilters = 2\n", "pairs", keys);
        return open_data(DataOptions::from(config));
    };
    for (const auto& source :
         {opened({"data.path=" + folder.path("both.h5"), "data.dataset=/noisy", "data.target=/clean"}),
          opened({"data.path=" + folder.path("a.h5"), "data.target_path=" + folder.path("b.h5")})}) {
        const Batch batch = read_windows(*source, paired(3, 2), {{1, 0}});
        CHECK(batch.past[0].equal(frames[1].slice(0, 0, 3).unsqueeze(1)));
        CHECK(batch.target[0].equal(frames[1].slice(0, 2, 4).unsqueeze(1) + 1));
    }
    CHECK(opened({"data.path=" + folder.path("a.h5")})->target() == nullptr);
}
