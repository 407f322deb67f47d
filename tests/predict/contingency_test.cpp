// Scores of events: published values, every definition from counts made another way, borders, empty cells.
#include "predict/scores/metrics.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"

#include <cmath>
#include <functional>
#include <map>

using Catch::Approx;
using nowcell::Quantity;
using nowcell::ScoreOptions;
using nowcell::Scores;

namespace {

torch::Tensor frame(const torch::Tensor& x) { return x.view({1, 1, 1, x.size(-2), x.size(-1)}); }

// One row: so many hits, false alarms, misses and correct negatives of 1.
std::pair<torch::Tensor, torch::Tensor> events(int hits, int false_alarms, int misses, int negatives) {
    std::vector<float> forecast, truth;
    const auto append = [&](int count, float f, float o) {
        forecast.insert(forecast.end(), static_cast<std::size_t>(count), f);
        truth.insert(truth.end(), static_cast<std::size_t>(count), o);
    };
    append(hits, 2.0F, 1.5F);
    append(false_alarms, 2.0F, 0.0F);
    append(misses, 0.0F, 2.0F);
    append(negatives, 0.5F, 0.25F);
    const auto row = [](const std::vector<float>& x) { return frame(at::tensor(x).view({1, -1})); };
    return {row(forecast), row(truth)};
}

// The fractions of a field by the definition: windows of `side` that reach side / 2 back, zeros outside.
torch::Tensor fractions(const torch::Tensor& events, std::int64_t side) {
    const torch::Tensor field = events.to(at::kDouble);
    const std::int64_t before = side / 2, after = side - 1 - before;
    torch::Tensor out = at::zeros_like(field);
    for (std::int64_t r = 0; r < field.size(0); ++r) {
        for (std::int64_t c = 0; c < field.size(1); ++c) {
            const std::int64_t top = std::max<std::int64_t>(r - before, 0),
                               bottom = std::min(r + after + 1, field.size(0));
            const std::int64_t left = std::max<std::int64_t>(c - before, 0),
                               right = std::min(c + after + 1, field.size(1));
            out[r][c] = field.slice(0, top, bottom).slice(1, left, right).sum() / static_cast<double>(side * side);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("contingency scores have pysteps' published values") {
    const auto [forecast, truth] = events(82, 38, 23, 222);
    const std::map<std::string, double> expected = {{"acc", .83287671}, {"frequency-bias", 1.1428571},
                                                    {"pod", .7809524},  {"far", .316667},
                                                    {"pofd", .146154},  {"csi", .573426},
                                                    {"hss", .608871},   {"hk", .6348},
                                                    {"ets", .437682},   {"sedi", .789308},
                                                    {"mcc", .611707},   {"f1", .728889}};
    for (const char* dialect : {"standard", "pysteps"}) {
        Scores scores(1, {.dialect = dialect, .thresholds = {1.0}});
        scores.add(forecast, truth);
        for (const auto& [name, value] : expected) {
            INFO(dialect << " " << name);
            CHECK(scores.value(Quantity{name, 1.0}, 0) == Approx(value).margin(1e-6));
            CHECK(scores.value(Quantity{name, 1.0}, 1) == scores.value(Quantity{name, 1.0}, 0));
        }
    }
}

TEST_CASE("counts are pooled over windows, lead times and channels before anything is divided") {
    at::manual_seed(1);
    const torch::Tensor truth = at::rand({4, 3, 2, 9, 7}), forecast = (truth + 0.4 * at::rand(truth.sizes())) / 1.2;
    const torch::Tensor valid = at::rand(truth.sizes()) > 0.25;
    Scores scores(3, {.metrics = {"contingency", "success-ratio", "csi-m"}, .thresholds = {0.3, 0.6, 2.0}});
    scores.add(forecast, truth, valid);
    for (std::int64_t lead = 0; lead <= 3; ++lead) {
        double mean = 0.0;
        for (const double threshold : {0.3, 0.6}) {
            const auto part = [&](const torch::Tensor& x) { return lead == 0 ? x : x.select(1, lead - 1); };
            const auto number = [&](const torch::Tensor& x) {
                return at::logical_and(part(x), part(valid)).sum().item<double>();
            };
            const torch::Tensor f = forecast >= threshold, o = truth >= threshold;
            const double a = number(f & o), b = number(f & ~o), c = number(~f & o), d = number(~f & ~o),
                         n = a + b + c + d;
            const auto value = [&](const char* name) { return scores.value(Quantity{name, threshold}, lead); };
            CHECK(value("pod") == Approx(a / (a + c)));
            CHECK(value("far") == Approx(b / (a + b)));
            CHECK(value("success-ratio") == Approx(a / (a + b)));
            CHECK(value("pofd") == Approx(b / (b + d)));
            CHECK(value("csi") == Approx(a / (a + b + c)));
            CHECK(value("frequency-bias") == Approx((a + b) / (a + c)));
            CHECK(value("acc") == Approx((a + d) / n));
            CHECK(value("hk") == Approx(a / (a + c) - b / (b + d)));
            CHECK(value("hss") == Approx(2 * value("ets") / (1 + value("ets"))));  // each from the other
            CHECK(value("f1") == Approx(2 * value("csi") / (1 + value("csi"))));
            CHECK(value("mcc") == Approx((a * d - b * c) / std::sqrt((a + b) * (a + c) * (b + d) * (c + d))));
            mean += 0.5 * value("csi");
        }
        // Nothing reaches 2: only what needs no event is known.
        CHECK(scores.value(Quantity{"acc", 2.0}, lead) == 1.0);
        for (const char* name : {"pod", "far", "csi", "frequency-bias", "hss", "ets", "hk", "sedi", "mcc", "f1"}) {
            CHECK(std::isnan(scores.value(Quantity{name, 2.0}, lead)));
        }
        CHECK(std::isnan(scores.value("csi-m", lead)));
        Scores two(3, {.metrics = {"csi-m"}, .thresholds = {0.3, 0.6}});
        two.add(forecast, truth, valid);
        CHECK(two.value("csi-m", lead) == Approx(mean));
    }
}

TEST_CASE("a value at the threshold is an event, as the data have it in float32") {
    const torch::Tensor at_it = frame(at::full({2, 2}, 0.7F));
    Scores scores(1, {.thresholds = {0.7}});
    scores.add(at_it, at_it);
    CHECK(scores.value(Quantity{"csi", 0.7}, 0) == 1.0);
    Scores above(1, {.dialect = "pysteps", .thresholds = {0.7}});  // whose event is "above"
    above.add(at_it, at_it);
    CHECK(std::isnan(above.value(Quantity{"csi", 0.7}, 0)));
    CHECK(above.value(Quantity{"acc", 0.7}, 0) == 1.0);
    CHECK(above.value(Quantity{"fss", 0.7, 1}, 0) == 1.0);  // but not for its FSS
}

TEST_CASE("pooled CSI counts blocks by their largest value, smaller ones at the far borders") {
    torch::Tensor truth = at::zeros({4, 8}), forecast = at::zeros({4, 8});
    truth[0][0] = 1.0, forecast[3][3] = 1.0;  // a miss and a false alarm, in one block of 4
    truth[1][5] = 1.0;                        // a miss in the other
    Scores scores(1, {.thresholds = {0.5}, .csi_pools = {4, 3, 16}});
    scores.add(frame(forecast), frame(truth));
    CHECK(scores.value(Quantity{"csi", 0.5}, 0) == 0.0);
    // Sizes divide: two blocks and no further one.
    CHECK(scores.value(Quantity{"pooled-csi", 0.5, 4}, 0) == 0.5);
    // Blocks of 3: rows 0-2 and 3, columns 0-2, 3-5 and 6-7.
    CHECK(scores.value(Quantity{"pooled-csi", 0.5, 3}, 0) == 0.0);
    CHECK(scores.value(Quantity{"pooled-csi", 0.5, 16}, 0) == 1.0);

    at::manual_seed(2);
    const torch::Tensor o = at::rand({11, 13}), f = at::rand({11, 13});
    Scores blocks(1, {.thresholds = {0.9}, .csi_pools = {4}});
    blocks.add(frame(f), frame(o));
    const auto pooled = [](const torch::Tensor& x) {
        return at::max_pool2d(x.view({1, 1, 11, 13}), {4, 4}, {4, 4}, {0, 0}, {1, 1}, /*ceil_mode=*/true) >= 0.9;
    };
    const double hits = (pooled(f) & pooled(o)).sum().item<double>();
    CHECK(blocks.value(Quantity{"pooled-csi", 0.9, 4}, 0) ==
          Approx(hits / (pooled(f) | pooled(o)).sum().item<double>()));

    // What is missing is in no block; a block of which nothing is known does not count.
    torch::Tensor valid = at::ones({4, 8}, at::kBool);
    valid[3][3] = false;
    valid.slice(1, 4).fill_(false);
    Scores known(1, {.thresholds = {0.5}, .csi_pools = {4}});
    known.add(frame(forecast), frame(truth), frame(valid));
    CHECK(known.value(Quantity{"pooled-csi", 0.5, 4}, 0) == 0.0);
    CHECK(known.window_parts({"pooled-csi", 0.5, 4}, 0) == std::vector<double>{0.0, 0.0, 1.0, 0.0});
}

TEST_CASE("the fractions skill score equals its definition at odd and even scales, and beyond the frame") {
    at::manual_seed(3);
    for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{9, 14}, {13, 5}, {1, 1}, {1, 20}}) {
        const torch::Tensor truth = at::rand({2, 1, 1, height, width}), forecast = at::rand({2, 1, 1, height, width});
        const std::vector<std::int64_t> scales = {1, 2, 3, 4, 5, 8, 13, 14, 30};
        Scores scores(1, {.metrics = {"fss"}, .thresholds = {0.4, 0.8}, .fss_scales = scales});
        scores.add(forecast, truth);
        for (const double threshold : {0.4, 0.8}) {
            for (const std::int64_t scale : scales) {
                double errors = 0.0, squares = 0.0;
                for (std::int64_t b = 0; b < 2; ++b) {
                    const torch::Tensor f = fractions(forecast[b][0][0] >= threshold, scale);
                    const torch::Tensor o = fractions(truth[b][0][0] >= threshold, scale);
                    errors += (f - o).square().sum().item<double>();
                    squares += (f.square() + o.square()).sum().item<double>();
                }
                INFO(height << "x" << width << " " << threshold << " " << scale);
                const double value = scores.value(Quantity{"fss", threshold, scale}, 0);
                if (squares == 0.0) CHECK(std::isnan(value));
                if (squares > 0.0) CHECK(value == Approx(1.0 - errors / squares).margin(1e-12));
            }
        }
    }
}

TEST_CASE("the fractions skill score is 1 for a match, 0 apart, and not a number without events") {
    torch::Tensor truth = at::zeros({20, 20});
    truth[2][3] = 1.0;
    const auto fss = [&](const torch::Tensor& forecast, std::int64_t scale, const torch::Tensor& valid = {}) {
        Scores scores(1, {.metrics = {"fss"}, .thresholds = {0.5}, .fss_scales = {scale}});
        scores.add(frame(forecast), frame(truth), valid.defined() ? frame(valid) : valid);
        return scores.value(Quantity{"fss", 0.5, scale}, 0);
    };
    CHECK(fss(truth, 5) == 1.0);
    CHECK(fss(truth.roll(10, 1), 1) == 0.0);
    CHECK(fss(truth.roll(2, 1), 1) == 0.0);
    CHECK(fss(truth.roll(2, 1), 5) > fss(truth.roll(2, 1), 3));
    CHECK(fss(at::zeros({20, 20}), 4) == 0.0);
    // The only events are not known.
    torch::Tensor valid = at::ones({20, 20}, at::kBool);
    valid[2][3] = false;
    CHECK(std::isnan(fss(truth, 5, valid)));
    CHECK(fss(truth.roll(10, 1), 5, valid) == 0.0);
}
