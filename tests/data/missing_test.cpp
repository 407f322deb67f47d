#include "data/missing.h"
#include "tests/support/catch.h"

#include <cmath>
#include <limits>

using namespace nowcell;

namespace {

const float kNan = std::nanf("");

torch::Tensor series(const std::vector<float>& values) {
    return torch::tensor(values).view({1, static_cast<std::int64_t>(values.size()), 1, 1, 1});
}

bool alike(const torch::Tensor& a, const torch::Tensor& b) { return a.nan_to_num(-99).equal(b.nan_to_num(-99)); }

}  // namespace

TEST_CASE("a mask is made where something is missing, and nowhere else") {
    CHECK_FALSE(known_values(series({1, 2})).defined());
    CHECK(known_values(series({1, kNan, std::numeric_limits<float>::infinity()}))
              .equal(torch::tensor({true, false, false}).view({1, 3, 1, 1, 1})));
}

TEST_CASE("values are held forward in time, never backward") {
    CHECK(alike(hold(series({kNan, 1, kNan, kNan, 2, kNan})), series({kNan, 1, 1, 1, 2, 2})));
    const torch::Tensor whole = series({1, 2, 3});
    CHECK(hold(whole).is_same(whole));
    torch::Tensor frames = torch::arange(16).view({2, 2, 1, 2, 2}).to(torch::kFloat32);
    frames[1][1][0][0][1] = kNan;
    torch::Tensor expected = frames.clone();
    expected[1][1][0][0][1] = 9;  // of its own pixel and sample
    const torch::Tensor before = frames.clone();
    CHECK(alike(hold(frames), expected));
    CHECK(alike(frames, before));
}

TEST_CASE("a network sees the mean, or what was last known") {
    const torch::Tensor frames = series({kNan, 1, kNan, 3});
    CHECK(fill_missing(frames, "mask", 7).equal(series({7, 1, 7, 3})));
    CHECK(fill_missing(frames, "hold", 7).equal(series({7, 1, 1, 3})));
    CHECK(fill_missing(frames, "error", 7).equal(series({7, 1, 7, 3})));
    CHECK(fill_missing(series({kNan, kNan}), "hold", 7).equal(series({7, 7})));
    const torch::Tensor whole = series({1, 2});
    CHECK(fill_missing(whole, "hold", 7).is_same(whole));
    CHECK(fill_missing(whole, "mask", 7).is_same(whole));
}
