#include "train/autocast.h"
#include "train/loss.h"
#include "train/optimizer.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include "tests/support/catch.h"

#include <cmath>

using namespace nowcell;

namespace {

const std::vector<const char*> kKinds = {
    "[model]\nstrategy = \"next-frame\"\n[[model.layers]]\nfilters = 4\n",
    "[model]\nhead = \"conv3d\"\n[[model.layers]]\nfilters = 4\npeephole = \"channel\"\n",
    "[model]\nrelative = true\n[[model.layers]]\ncell = \"conv_gru\"\nfilters = 4\ndropout = 0.1\n",
};

struct Run {
    std::shared_ptr<SequenceModel> network;
    std::vector<double> losses;
};

Run train(const char* model, const std::string& precision) {
    at::manual_seed(1);
    Run run;
    run.network = make_sequence_model(1, ModelOptions::from(Config::parse(model, "test", {"data.path=memory"})));
    const torch::Tensor frames = at::rand({4, 6, 1, 8, 8}).cumsum(1) / 4;
    const Loss loss({}, {});
    const auto optimizer = make_optimizer({.lr = 1e-2}, named_parameters(*run.network));
    for (int step = 0; step < 30; ++step) {
        const Supervised taught = [&] {
            const Autocast autocast(precision, torch::kCPU);
            return run.network->supervised({frames.narrow(1, 0, 4), frames.narrow(1, 4, 2)});
        }();
        const torch::Tensor value = loss(taught, {}, 4);
        REQUIRE(value.scalar_type() == at::kFloat);
        optimizer->zero_grad();
        value.backward();
        optimizer->step(1e-2);
        run.losses.push_back(value.item<double>());
    }
    return run;
}

}  // namespace

TEST_CASE("in bfloat16 a network learns what it learns in float32, and its weights stay float32") {
    for (const char* kind : kKinds) {
        INFO(kind);
        const Run full = train(kind, "float32");
        const Run half = train(kind, "bfloat16");
        CHECK(half.losses.front() != full.losses.front());
        CHECK(half.losses.front() == Catch::Approx(full.losses.front()).epsilon(0.02));
        CHECK(full.losses.back() < 0.8 * full.losses.front());
        CHECK(half.losses.back() == Catch::Approx(full.losses.back()).epsilon(0.1));
        for (const auto& [name, parameter] : named_parameters(*half.network)) {
            INFO(name);
            CHECK(parameter.scalar_type() == at::kFloat);
            CHECK(parameter.grad().scalar_type() == at::kFloat);
            CHECK(parameter.grad().abs().sum().item<double>() > 0.0);
        }
    }
}

TEST_CASE("autocast ends with its scope, and float32 changes nothing") {
    const torch::Tensor a = at::rand({3, 3}), b = at::rand({3, 3});
    at::autocast::set_autocast_dtype(at::kCPU, at::kHalf);
    {
        const Autocast outer("bfloat16", torch::kCPU);
        CHECK(at::mm(a, b).scalar_type() == at::kBFloat16);
        {
            const Autocast inner("float32", torch::kCPU);
            CHECK(at::mm(a, b).scalar_type() == at::kBFloat16);
        }
        { const Autocast inner("bfloat16", torch::kCPU); }
        CHECK(at::mm(a, b).scalar_type() == at::kBFloat16);
    }
    CHECK(at::mm(a, b).scalar_type() == at::kFloat);
    CHECK(at::autocast::get_autocast_dtype(at::kCPU) == at::kHalf);
    at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
}

TEST_CASE("what autocast keeps of a weight ends with its scope, so that a step is seen") {
    torch::Tensor weight = at::ones({2, 2}).requires_grad_();
    const auto product = [&] {
        const Autocast autocast("bfloat16", torch::kCPU);
        return at::mm(weight, at::ones({2, 2})).sum().item<double>();
    };
    CHECK(product() == 8.0);
    {
        const c10::NoGradGuard no_grad;
        weight.mul_(3.0);
    }
    CHECK(product() == 24.0);
}
