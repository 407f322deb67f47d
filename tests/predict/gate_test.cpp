#include "predict/scores/gate.h"
#include "src/error.h"
#include "tests/data/fake_source.h"

#include <ATen/ATen.h>

#include "tests/support/catch.h"

#include <cmath>

using namespace nowcell;

namespace {

// A model that is off by 1, beside a baseline that is off by 2; two leads.
ScoreTable table() {
    const auto off_by = [](const std::string& name, float error, bool baseline) {
        return Contender{name, [error](const Batch& batch, std::int64_t) { return batch.target + error; }, baseline};
    };
    const FakeSource source({numbered_frames(0, 12)});
    ScoreOptions options;
    options.thresholds = {5.0};
    return evaluate({source, {2, 2}, {{0, 0}, {0, 3}}, 1}, {off_by("model", 1.0F, false), off_by("base", 2.0F, true)},
                    options);
}

}  // namespace

TEST_CASE("a bar is read as it is written") {
    const Gate plain = parse_gate("mae>0.05");
    CHECK(plain.quantity == Quantity{"mae"});
    CHECK(plain.lead == 0);
    CHECK_FALSE(plain.below);
    CHECK(plain.limit == 0.05);
    const Gate full = parse_gate(" fss@-2.5/8:6 <= 1e-1 ");
    CHECK(full.quantity == Quantity{"fss", -2.5, 8});
    CHECK(full.lead == 6);
    CHECK(full.below);
    CHECK(full.or_equal);
    CHECK(full.limit == 0.1);
    for (const char* bad : {"", "mae", "mae>", ">3", "mae=3", "mae>x", "mae>1e", "mae@>1", "mae/8.5>1", "MAE>1",
                            "mae>1 2", "mae>1e999"}) {
        INFO(bad);
        CHECK_THROWS_AS(parse_gate(bad), Error);
    }
}

TEST_CASE("a bar is missed by a forecaster, never by a baseline") {
    const ScoreTable scored = table();
    const auto lines = [&](const std::string& text) { return missed({parse_gate(text)}, scored); };
    CHECK(lines("mae>1.5").empty());
    CHECK(lines("mae>1").empty());
    CHECK(lines("mae>=1") == std::vector<std::string>{"mae>=1: model has 1"});
    CHECK(lines("mae:2>0.5").size() == 1);
    CHECK(lines("skill<0.5").empty());  // 1 - 1 / 2
    CHECK(lines("skill<0.51") == std::vector<std::string>{"skill<0.51: model has 0.5"});
    CHECK(lines("bias<0").empty());
    CHECK(parse_gate("mae>1").fails(std::nan("")));
    CHECK(parse_gate("mae<1").fails(std::nan("")));
}

TEST_CASE("a bar on a score that will not be computed is refused before the work") {
    const ScoreTable scored = table();
    CHECK_NOTHROW(check_gates({parse_gate("mae:2>1"), parse_gate("skill<0"), parse_gate("csi@5<1")}, scored));
    for (const char* bad : {"mae:3>1", "maee>1", "csi@6<1", "csi<1", "mae@5>1"}) {
        INFO(bad);
        CHECK_THROWS_AS(check_gates({parse_gate(bad)}, scored), Error);
    }
}
