// Baselines that go on lead time by lead time.
#include "data/baseline.h"
#include "tests/support/catch.h"

#include <ATen/ATen.h>

#include <cmath>

using namespace nowcell;

namespace {

// Two items of two channels, with holes, some of them in every frame.
torch::Tensor past_frames() {
    at::manual_seed(4);
    torch::Tensor past = at::rand({2, 9, 2, 40, 33});
    past.select(1, 8).narrow(3, 0, 5).fill_(std::nanf(""));
    past.narrow(3, 10, 2).narrow(4, 3, 2).fill_(std::nanf(""));
    return past;
}

// Knows forecast() alone.
class Trend : public Baseline {
 public:
    std::string name() const override { return "trend"; }
    std::int64_t history() const override { return 2; }
    torch::Tensor forecast(const torch::Tensor& past, std::int64_t horizon) const override {
        const torch::Tensor last = past.slice(1, past.size(1) - 1);
        const torch::Tensor step = last - past.slice(1, past.size(1) - 2, past.size(1) - 1);
        return last + step * at::arange(1, horizon + 1).view({1, -1, 1, 1, 1});
    }
};

}  // namespace

TEST_CASE("a baseline goes on with the bits of its whole forecast, whatever the pieces") {
    const torch::Tensor past = past_frames();
    const BaselineOptions options{4, 0.8, at::rand({2, 40, 33}), 0.5};
    std::vector<std::unique_ptr<Baseline>> baselines;
    for (const char* name : {"persistence", "seasonal", "anomaly", "climatology", "optical-flow"}) {
        baselines.push_back(make_baseline(name, options));
    }
    baselines.push_back(std::make_unique<Trend>());
    for (const auto& baseline : baselines) {
        INFO(baseline->name());
        const torch::Tensor whole = baseline->forecast(past, 11);
        for (const std::vector<std::int64_t>& pieces : {std::vector<std::int64_t>(11, 1), {3, 6, 2}, {11}}) {
            const auto running = baseline->start(past);
            std::int64_t done = 0;
            for (const std::int64_t leads : pieces) {
                const torch::Tensor frames = running->next(leads);
                CHECK(frames.sizes() == std::vector<std::int64_t>({2, leads, 2, 40, 33}));
                const bool same = at::equal(frames.nan_to_num(), whole.narrow(1, done, leads).nan_to_num());
                CHECK(same);
                done += leads;
            }
        }
    }
    for (const char* name : {"persistence", "seasonal", "anomaly", "optical-flow"}) {
        CHECK_THROWS(make_baseline(name, options)->start(past.narrow(1, 0, 0)));
    }
}
