#include "data/period.h"
#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace nowcell;

namespace {

SourceInfo series(double step_s, std::vector<std::int64_t> frames, std::int64_t side = 8) {
    SourceInfo info;
    info.dataset = "/t2m";
    info.step_s = step_s;
    info.frames = std::move(frames);
    info.channels = 1;
    info.height = info.width = side;
    return info;
}

DataOptions windows(std::int64_t input, std::int64_t output, std::int64_t frame_step = 1) {
    DataOptions options;
    options.window = {input, output, 1, 0, frame_step};
    return options;
}

}  // namespace

TEST_CASE("the day is found in the time step") {
    CHECK(find_period(series(3600, {744}), windows(12, 6)).steps == 24);
    CHECK(find_period(series(3600, {744}), windows(12, 6)).why == "a day of the time axis");
    CHECK(find_period(series(10800, {744}), windows(12, 6)).steps == 8);
    CHECK(find_period(series(43200, {744}), windows(12, 6)).steps == 2);
    CHECK(find_period(series(900, {4000}), windows(12, 6)).steps == 96);
    CHECK(find_period(series(3600, {744}), windows(12, 6, 3)).steps == 8);  // in steps of a window
    CHECK(find_period(series(30.4375 * 86400, {240}), windows(6, 3)).steps == 12);
    CHECK(find_period(series(30 * 86400, {240}), windows(6, 3)).steps == 12);  // calendar of 360 days
}

TEST_CASE("without a cycle that fits there is none, and the reason is said") {
    const auto why_not = [](const SourceInfo& info, const DataOptions& options) {
        const Period found = find_period(info, options);
        CHECK(found.steps == 0);
        return found.why;
    };
    CHECK(holds(why_not(series(0, {744}), windows(12, 6)), "time step is unknown"));
    CHECK(holds(why_not(series(86400, {744}), windows(12, 6)), "is a day"));
    CHECK(holds(why_not(series(7000, {744}), windows(12, 6)), "no whole number of steps of 7000 s"));
    CHECK(holds(why_not(series(3600, {59}), windows(4, 2)), "two in a row"));  // 47 training hours
    CHECK(find_period(series(3600, {400}), windows(4, 2)).steps == 24);
    CHECK(holds(why_not(series(300, {4000}, 400), windows(6, 6)), "MiB for each window"));
    CHECK(find_period(series(300, {4000}, 32), windows(6, 6)).steps == 288);
    // Ten recordings of two days: history of a day leaves 24 hours of each, too few for 12 + 30.
    const std::vector<std::int64_t> days(10, 52);
    CHECK(holds(why_not(series(3600, days), windows(12, 30)), "would leave the train part without a window"));
    CHECK(find_period(series(3600, days), windows(12, 12)).steps == 24);
    SourceInfo broken = series(3600, {400});
    for (std::int64_t t = 40; t < 400; t += 40) broken.breaks.resize(1), broken.breaks[0].push_back(t);
    CHECK(holds(why_not(broken, windows(4, 2)), "two in a row"));
}

TEST_CASE("the parts are checked while a period is looked for") {
    DataOptions options = windows(4, 2);
    options.split.validation = options.split.test;
    CHECK_THROWS_AS(find_period(series(3600, {744}), options), Error);
}

TEST_CASE("a cycle needs one step more of history, and motion two") {
    CHECK(history_for(0) == 2);
    CHECK(history_for(24) == 25);
}
