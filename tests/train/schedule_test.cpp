#include "train/schedule.h"
#include "src/error.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

using Catch::Approx;
using nowcell::EarlyStopping;
using nowcell::Schedule;
using nowcell::ScheduleOptions;

namespace {

ScheduleOptions plateau(const char* rule) {
    return {.name = "plateau", .lr = 1.0, .factor = 0.5, .rule = rule, .patience = 2, .min_delta = 0.1};
}

// The rate after each validation.
std::vector<double> rates(Schedule& schedule, const std::vector<double>& errors) {
    std::vector<double> out;
    for (const double error : errors) {
        schedule.validated(error);
        out.push_back(schedule.lr(0));
    }
    return out;
}

}  // namespace

TEST_CASE("the learning rate warms up, then follows its schedule to the end") {
    ScheduleOptions options{.lr = 1.0, .warmup_steps = 10, .min_lr = 0.1};
    const Schedule constant(options, 110);
    CHECK(constant.lr(0) == Approx(0.1));
    CHECK(constant.lr(9) == Approx(1.0));
    CHECK(constant.lr(60) == 1.0);
    options.name = "cosine";
    const Schedule cosine(options, 110);
    CHECK(cosine.lr(4) == Approx(0.5));
    CHECK(cosine.lr(10) == Approx(1.0));
    CHECK(cosine.lr(60) == Approx(0.55));
    CHECK(cosine.lr(110) == Approx(0.1));
    CHECK(cosine.lr(500) == Approx(0.1));
}

TEST_CASE("the rate falls in steps, counted in epochs or steps, to a floor") {
    ScheduleOptions options{.name = "step", .lr = 1.0, .epochs = 20, .min_lr = 0.02, .factor = 0.5, .every = 3};
    const Schedule by_epoch(options, 20 * 7);
    for (std::int64_t step = 0; step < 140; ++step) {
        CHECK(by_epoch.lr(step) == Approx(std::max(0.02, std::pow(0.5, static_cast<double>(step / 7 / 3)))));
    }
    options.unit = "step";
    const Schedule by_step(options, 20 * 7);
    CHECK(by_step.lr(2) == 1.0);
    CHECK(by_step.lr(3) == 0.5);
    CHECK(by_step.lr(11) == 0.125);
    CHECK(by_step.lr(139) == 0.02);
}

TEST_CASE("one cycle is PyTorch's OneCycleLR") {
    // OneCycleLR(max_lr=0.01, total_steps=10) of PyTorch: lr = 4e-4, peak at step 2 = 0.3 * 10 - 1, end at step 9.
    const double pi = std::acos(-1.0);
    ScheduleOptions options{.name = "one-cycle", .lr = 0.01};
    const Schedule schedule(options, 10);
    CHECK(schedule.lr(0) == Approx(4e-4));
    CHECK(schedule.lr(1) == Approx(4e-4 + (0.01 - 4e-4) * 0.5));
    CHECK(schedule.lr(2) == Approx(0.01));
    CHECK(schedule.lr(9) == Approx(4e-8).epsilon(1e-9));
    for (std::int64_t step = 2; step < 10; ++step) {
        const double share = static_cast<double>(step - 2) / 7.0;
        CHECK(schedule.lr(step) == Approx(4e-8 + (0.01 - 4e-8) / 2.0 * (std::cos(pi * share) + 1.0)));
    }
    CHECK(schedule.lr(50) == schedule.lr(9));
    options.anneal = "linear";
    options.rise = 0.5;
    options.divide = 10;
    options.divide_final = 100;
    const Schedule lines(options, 11);  // peak at 4.5, end at 10
    CHECK(lines.lr(0) == Approx(1e-3));
    CHECK(lines.lr(3) == Approx(1e-3 + 9e-3 * 3.0 / 4.5));
    CHECK(lines.lr(10) == Approx(1e-5));
    CHECK(lines.lr(7) == Approx(0.01 + (1e-5 - 0.01) * 2.5 / 5.5));
    options.rise = 0.0;
    CHECK(Schedule(options, 1).lr(0) <= 0.01);
    CHECK(Schedule(options, 1).lr(0) > 0.0);
}

TEST_CASE("on a plateau the rate falls by the rule of Keras or of PyTorch") {
    // Keras: an improvement is more than min_delta; the second validation without one is enough for a patience of 2.
    Schedule keras(plateau("keras"), 100);
    CHECK(rates(keras, {5.0, 4.95, 4.91, 4.5, 4.45, 4.41}) == std::vector<double>{1, 1, 0.5, 0.5, 0.5, 0.25});
    // PyTorch: below 90 % of the best; the third one is needed.
    Schedule pytorch(plateau("pytorch"), 100);
    CHECK(rates(pytorch, {5.0, 4.6, 4.55, 4.51, 4.4, 4.0, 3.9, 3.8, 3.7}) ==
          std::vector<double>{1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5});
}

TEST_CASE("a plateau's cooldown and floor are those of the frameworks") {
    // Keras counts again in the validation that ends the cooldown, PyTorch in the one after.
    ScheduleOptions options = plateau("keras");
    options.cooldown = 2;
    options.min_lr = 0.2;
    const std::vector<double> flat(10, 1.0);
    Schedule keras(options, 100);
    CHECK(rates(keras, flat) == std::vector<double>{1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2});
    options.rule = "pytorch";
    Schedule pytorch(options, 100);
    CHECK(rates(pytorch, flat) == std::vector<double>{1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25});
    // Sixty errors through literal transcriptions of both callbacks: after which validations the rate fell.
    const std::vector<double> errors = {
        1.96,  1.96,  1.999, 1.999, 1.999, 1.999, 1.999, 1.999, 1.799, 1.799, 1.799, 1.799, 1.799, 1.799, 1.799,
        1.799, 1.835, 1.652, 1.652, 1.156, 1.156, 1.156, 1.156, 1.156, 1.156, 1.041, 1.041, 1.041, 0.937, 0.937,
        0.937, 0.843, 0.59,  0.531, 0.478, 0.478, 0.487, 0.487, 0.487, 0.487, 0.478, 0.487, 0.487, 0.341, 0.341,
        0.307, 0.313, 0.319, 0.319, 0.319, 0.319, 0.319, 0.287, 0.287, 0.287, 0.282, 0.197, 0.138, 0.138, 0.138};
    options = {.name = "plateau", .lr = 1.0, .min_lr = 0.01, .factor = 0.5, .patience = 3, .min_delta = 0.05};
    options.cooldown = 2;
    const auto falls = [&](const char* rule) {
        options.rule = rule;
        Schedule schedule(options, 100);
        std::vector<std::size_t> at;
        double before = 1.0;
        for (std::size_t n = 0; n < errors.size(); ++n) {
            schedule.validated(errors[n]);
            if (schedule.lr(0) != before) at.push_back(n);
            before = schedule.lr(0);
        }
        CHECK(before == std::max(0.01, std::pow(0.5, static_cast<double>(at.size()))));
        return at;
    };
    CHECK(falls("keras") == std::vector<std::size_t>{3, 7, 11, 15, 22, 37, 41});
    CHECK(falls("pytorch") == std::vector<std::size_t>{4, 12, 23, 38, 49});
    Schedule deaf({.lr = 1.0}, 100);
    CHECK(rates(deaf, flat) == flat);
}

TEST_CASE("a schedule continues where its state was saved") {
    for (const char* rule : {"keras", "pytorch"}) {
        ScheduleOptions options = plateau(rule);
        options.factor = 0.7;
        options.cooldown = 1;
        const std::vector<double> errors = {0.31, 0.3, 0.3, 0.29, 0.3, 0.3, 0.3, 0.28, 0.3, 0.1, 0.2, 0.2, 0.2, 0.2};
        Schedule whole(options, 100);
        const std::vector<double> expected = rates(whole, errors);
        CHECK(expected.back() < 1.0);
        for (std::size_t cut = 0; cut < errors.size(); ++cut) {
            Schedule first(options, 100);
            rates(first, {errors.begin(), errors.begin() + static_cast<std::ptrdiff_t>(cut)});
            Schedule second(options, 100);
            second.load_state(nlohmann::json::parse(first.state().dump()));
            const auto rest = rates(second, {errors.begin() + static_cast<std::ptrdiff_t>(cut), errors.end()});
            CHECK(std::equal(rest.begin(), rest.end(), expected.begin() + static_cast<std::ptrdiff_t>(cut)));
        }
    }
    Schedule schedule(plateau("keras"), 100);
    CHECK_THROWS_AS(schedule.load_state(nlohmann::json::object()), nowcell::Error);
    CHECK_THROWS_AS(schedule.load_state({{"best", "x"}, {"wait", 0}, {"cooling", 0}, {"scale", 1}}), nowcell::Error);
}

TEST_CASE("early stopping waits for an improvement that counts") {
    const auto stops_after = [](std::int64_t patience, double min_delta) {
        EarlyStopping stopping(patience, min_delta);
        std::size_t n = 0;
        for (const double error : {5.0, 4.0, 3.95, 3.9, 3.85, 3.9, 3.9}) {
            EarlyStopping again(patience, min_delta);
            again.load_state(nlohmann::json::parse(stopping.state().dump()));
            again.validated(error);
            stopping.validated(error);
            CHECK(again.stop() == stopping.stop());
            ++n;
            if (stopping.stop()) return n;
        }
        return std::size_t{0};
    };
    CHECK(stops_after(2, 0.0) == 7);
    CHECK(stops_after(2, 0.1) == 4);
    CHECK(stops_after(3, 0.5) == 5);
    CHECK(stops_after(0, 0.0) == 0);
    CHECK(stops_after(5, 0.0) == 0);
    EarlyStopping stopping(1, 0.0);
    CHECK_THROWS_AS(stopping.load_state({{"best", 1.0}}), nowcell::Error);
}
