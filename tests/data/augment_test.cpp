#include "data/augment.h"
#include "data/frame_source.h"
#include "data/loader.h"
#include "data/write/hdf5_io.h"
#include "src/error.h"
#include "tests/data/fake_source.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <map>
#include <tuple>

using namespace nowcell;

namespace {

AugmentOptions all_views(std::vector<std::int64_t> crop = {}) { return {true, true, true, true, std::move(crop)}; }

// A mirror image undoes itself whatever was turned; else the turn goes the other way round.
View inverse(const View& view) {
    View out = view;
    if (view.mirrored == view.upside_down) out.quarter_turns = (4 - view.quarter_turns) % 4;
    return out;
}

std::string usage_message(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::usage);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("each view means what its name says") {
    const torch::Tensor frames = torch::arange(16).view({2, 1, 2, 4}).to(torch::kFloat32);
    const AugmentOptions none;
    const auto first = [&](const View& view) { return look(frames, view, none)[0][0]; };
    View view;
    CHECK(look(frames, view, none).equal(frames));
    view.mirrored = true;
    CHECK(first(view).equal(torch::tensor({{3.0F, 2.0F, 1.0F, 0.0F}, {7.0F, 6.0F, 5.0F, 4.0F}})));
    view = {};
    view.upside_down = true;
    CHECK(first(view)[0].equal(frames[0][0][1]));
    view = {};
    view.backwards = true;
    CHECK(first(view).equal(frames[1][0]));
    view = {};
    view.top = 1;
    view.left = 2;
    CHECK(look(frames, view, {false, false, false, false, {1, 2}})[0][0].equal(torch::tensor({{6.0F, 7.0F}})));
    const torch::Tensor square = torch::tensor({{1.0F, 2.0F}, {3.0F, 4.0F}}).view({1, 1, 2, 2});
    view = {};
    view.quarter_turns = 1;  // anticlockwise: the right column becomes the top row
    CHECK(look(square, view, none)[0][0].equal(torch::tensor({{2.0F, 4.0F}, {1.0F, 3.0F}})));
}

TEST_CASE("a view and its inverse leave every value where it was") {
    torch::manual_seed(5);
    const torch::Tensor frames = torch::rand({3, 2, 6, 6});
    int changed = 0;
    for (std::int64_t position = 0; position < 200; ++position) {
        const View view = draw_view(all_views(), 6, 6, 1, 0, position);
        const torch::Tensor seen = look(frames, view, all_views());
        changed += seen.equal(frames) ? 0 : 1;
        REQUIRE(look(seen, inverse(view), all_views()).equal(frames));
    }
    CHECK(changed > 180);  // one in 32 draws is the identity, and two flips make half a turn
}

TEST_CASE("views are drawn evenly, and only those that are on") {
    std::map<std::tuple<bool, bool, bool, std::int64_t>, int> seen;
    std::map<std::pair<std::int64_t, std::int64_t>, int> corners;
    constexpr int kDraws = 19200;
    for (int position = 0; position < kDraws; ++position) {
        const View view = draw_view(all_views({4, 4}), 6, 5, 7, 3, position);
        ++seen[{view.mirrored, view.upside_down, view.backwards, view.quarter_turns}];
        ++corners[{view.top, view.left}];
    }
    CHECK(seen.size() == 32);
    for (const auto& [view, times] : seen) CHECK(std::abs(times - kDraws / 32) < 125);  // five standard deviations
    CHECK(corners.size() == 6);
    for (const auto& [corner, times] : corners) CHECK(std::abs(times - kDraws / 6) < 260);
    const View none = draw_view({}, 6, 5, 7, 3, 1);
    CHECK_FALSE((none.mirrored || none.upside_down || none.backwards || none.quarter_turns != 0 || none.top != 0));
    // One option does not change what another draws.
    for (int position = 0; position < 50; ++position) {
        const AugmentOptions flip{true, false, false, false};
        CHECK(draw_view(flip, 6, 6, 7, 3, position).mirrored == draw_view(all_views(), 6, 6, 7, 3, position).mirrored);
    }
}

TEST_CASE("a view depends on seed, epoch and position alone") {
    const auto drawn = [](std::uint64_t seed, std::int64_t epoch) {
        std::vector<std::int64_t> all;
        for (int position = 0; position < 64; ++position) {
            const View view = draw_view(all_views({3, 3}), 9, 9, seed, epoch, position);
            all.insert(all.end(), {view.top, view.left, view.quarter_turns, view.mirrored, view.backwards});
        }
        return all;
    };
    CHECK(drawn(1, 1) == drawn(1, 1));
    CHECK(drawn(1, 1) != drawn(1, 2));
    CHECK(drawn(1, 1) != drawn(2, 1));
}

TEST_CASE("past, target and mask of a sequence are seen alike") {
    torch::manual_seed(8);
    torch::Tensor frames = torch::rand({20, 1, 6, 6});
    frames.masked_fill_(torch::rand({20, 1, 6, 6}) < 0.2, std::nanf(""));
    const FakeSource source({frames});
    const WindowOptions window{3, 2, 1, 5};
    std::vector<Window> windows;
    for (std::int64_t start = 2; start < 15; ++start) windows.push_back({0, start});
    Loader loader(source, window, windows, {.batch = 4, .seed = 5, .augment = all_views({4, 4})});
    loader.start_epoch(1);
    for (Batch batch; loader.next(batch);) {
        REQUIRE(batch.valid.defined());
        CHECK(batch.valid.equal(batch.target.isfinite()));
        for (std::int64_t i = 0; i < batch.past.size(0); ++i) {
            const std::int64_t position = batch.first + i;
            const View view = draw_view(all_views({4, 4}), 6, 6, 5, 1, position);
            const std::int64_t first = windows[static_cast<std::size_t>(position)].start - 2;
            const torch::Tensor expected = look(frames.slice(0, first, first + 7), view, all_views({4, 4}));
            const torch::Tensor got = torch::cat({batch.past[i], batch.target[i]});
            CHECK(got.nan_to_num(-1).equal(expected.nan_to_num(-1)));
        }
    }
}

TEST_CASE("crops and rotations that do not fit are refused") {
    SourceInfo info;
    info.path = "d.h5";
    info.height = 8;
    info.width = 6;
    CHECK(usage_message([&] { all_views({4, 4}).check(info); }).empty());
    CHECK(holds(usage_message([&] { all_views().check(info); }), "8x6, not square"));
    CHECK(holds(usage_message([&] { all_views({8, 6}).check(info); }), "not square"));
    CHECK(holds(usage_message([&] { all_views({9, 4}).check(info); }), "does not fit into frames of 8x6"));
    CHECK(holds(usage_message([&] { all_views({0, 4}).check(info); }), "does not fit"));
}

TEST_CASE("the configuration names the views") {
    const auto options = [](const std::vector<std::string>& overrides) {
        return AugmentOptions::from(
            Config::parse("[[model.layers]]\nfilters = 2\n[data]\npath = \"a\"\n", "c", overrides));
    };
    CHECK_FALSE(options({}).any());
    CHECK_FALSE(options({"data.augment_crop=[0,0]"}).any());
    CHECK(options({"data.augment_crop=5"}).crop == std::vector<std::int64_t>{5, 5});
    const AugmentOptions some = options({"data.augment=[\"flip-horizontal\",\"reverse-time\"]"});
    CHECK((some.flip_horizontal && some.reverse_time && !some.flip_vertical && !some.rotate90));
    CHECK(some.spatial());
    CHECK_FALSE(options({"data.augment=[\"reverse-time\"]"}).spatial());
    CHECK(holds(usage_message([&] { options({"data.augment=[\"flip\"]"}); }), "data.augment"));
}

TEST_CASE("readers of any number give the same bytes") {
    TemporaryFolder folder;
    torch::manual_seed(3);
    write_hdf5(folder.path("d.h5"), {{"/frames", torch::rand({6, 12, 8, 8}), {1, 12, 8, 8}, {}}}, {});
    const auto epoch_of = [&](const std::string& trust, int readers) {
        SourceOptions options;
        options.path = folder.path("d.h5");
        options.trust = trust;
        options.readers = readers;
        const auto source = open_source(options);
        const WindowOptions window{4, 3, 1, 0};
        Loader loader(*source, window, cut_windows(source->info(), window, {}, Part::all),
                      {.batch = 5, .shuffle = true, .seed = 4, .augment = all_views({5, 5})});
        std::vector<torch::Tensor> all;
        loader.start_epoch(3);
        for (Batch batch; loader.next(batch);) all.push_back(torch::cat({batch.past, batch.target}, 1));
        return torch::cat(all);
    };
    const torch::Tensor direct = epoch_of("direct", 0);
    CHECK(epoch_of("readers", 1).equal(direct));
    CHECK(epoch_of("readers", 4).equal(direct));
}
