#include "train/learner.h"

#include "data/missing.h"
#include "train/autocast.h"
#include "train/sampling.h"

#include <ATen/Context.h>
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <mutex>

namespace nowcell {
namespace {

bool finite(const torch::Tensor& tensor) { return !tensor.defined() || tensor.isfinite().all().item<bool>(); }

// The generators whose draws training depends on, by name.
std::map<std::string, at::Generator> generators(torch::Device device) {
    std::map<std::string, at::Generator> all = {{"cpu", at::globalContext().defaultGenerator(at::kCPU)}};
    if (!device.is_cpu()) all[device.str()] = at::globalContext().defaultGenerator(device);
    return all;
}

torch::Tensor leads_of(const torch::Tensor& frames, std::int64_t leads) {
    return frames.defined() ? frames.narrow(1, 0, leads) : frames;
}

}  // namespace

Learner::Learner(Forecaster& forecaster, TrainOptions options)
    : forecaster_(forecaster),
      options_(std::move(options)),
      loss_(options_.loss, forecaster.normalizer()),
      network_(make_sequence_model(forecaster.trained_on().channels, forecaster.network().options(),
                                   forecaster.network().frame())) {
    copy_weights(*network_, forecaster.network());
    network_->to(forecaster.device());
    network_->train();
    optimizer_ = make_optimizer(options_.optimizer, named_parameters(*network_));
}

// The target as a network may see it: missing values filled as those of the input are.
torch::Tensor Learner::filled_target(const Batch& batch) const {
    if (!batch.valid.defined()) return batch.target;
    const torch::Tensor all = at::cat({batch.past, batch.target}, 1);
    return fill_missing(all, forecaster_.data().source.missing, forecaster_.normalizer().mean)
        .slice(1, batch.past.size(1));
}

Supervised Learner::taught(const Batch& batch, const StepPlan& plan, std::int64_t pass) {
    const Prepared prepared = forecaster_.prepare(batch.past, forecaster_.data().window.output_steps);
    const torch::Tensor target =
        forecaster_.normalizer().apply(filled_target(batch).to(forecaster_.device(), /*non_blocking=*/true));
    const std::int64_t draw = plan.step * options_.accumulate + pass;
    lesson_ = {prepared.input, leads_of(target, plan.leads), leads_of(prepared.guides, plan.leads),
               draw_shown(options_.sampling, plan.step, draw, target.size(0), prepared.input.size(1), plan.leads)};
    const Autocast autocast(options_.precision, forecaster_.device());
    Supervised frames = network_->supervised(lesson_);
    frames.prediction = frames.prediction.to(frames.target.scalar_type());
    return frames;
}

// Where what is taught is known, on the device; undefined: everywhere. A strategy may teach input frames too.
torch::Tensor Learner::mask_of(const Batch& batch, const Supervised& taught, std::int64_t leads) const {
    const std::int64_t steps = forecaster_.data().window.input_steps;
    if (!batch.valid.defined() && taught.first >= steps) return {};
    const torch::Tensor input = batch.past.slice(1, batch.past.size(1) - steps);
    const torch::Tensor frames = at::cat({input, leads_of(batch.target, leads)}, 1);
    const torch::Tensor known = known_values(frames.narrow(1, taught.first, taught.target.size(1)));
    return known.defined() ? known.to(forecaster_.device()) : known;
}

StepOutcome Learner::learn(const std::vector<Batch>& passes, const StepPlan& plan, StepClock& clock) {
    optimizer_->zero_grad();
    buffers_.clear();
    for (const torch::Tensor& buffer : network_->buffers()) buffers_.push_back(buffer.clone());
    StepOutcome outcome;
    double total = 0.0;
    double sum = 0.0;
    for (const Batch& batch : passes) {
        clock.lap(&StepClock::other_s);
        const Supervised frames = taught(batch, plan, &batch - passes.data());
        const torch::Tensor mask = mask_of(batch, frames, plan.leads);
        const torch::Tensor loss = loss_(frames, mask, forecaster_.data().window.input_steps);
        const double count = Loss::count(frames, mask).item<double>();
        // Several passes give the mean over all their values: each is weighted with its count, and divided at the end.
        (passes.size() == 1 ? loss : loss * count).backward();
        const double value = loss.item<double>();
        clock.lap(&StepClock::model_s);
        total += count;
        sum += value * count;
        if (outcome.bad.empty() && !std::isfinite(value)) outcome.bad = first_bad(frames, loss);
    }
    outcome.known = total > 0.0;
    outcome.loss = passes.size() == 1 || !outcome.known ? sum / std::max(1.0, total) : sum / total;
    if (passes.size() > 1 && outcome.known) {
        for (const auto& [name, parameter] : optimizer_->parameters()) {
            if (parameter.grad().defined()) torch::Tensor(parameter.grad()).div_(total);
        }
    }
    outcome.gradient_norm = clip_gradients(optimizer_->parameters(), options_.optimizer);
    if (outcome.bad.empty() && !std::isfinite(outcome.gradient_norm)) outcome.bad = first_bad_gradient();
    clock.lap(&StepClock::other_s);
    return outcome;
}

std::string Learner::first_bad(const Supervised& taught, const torch::Tensor& loss) const {
    if (!finite(lesson_.input)) return "the input";
    if (!finite(lesson_.target)) return "the target";
    if (!finite(lesson_.guides)) return "the guides";
    for (const auto& [name, parameter] : optimizer_->parameters()) {
        if (!finite(parameter)) return "weight " + name;
    }
    for (const auto& entry : network_->named_buffers()) {
        if (!finite(entry.value())) return "buffer " + entry.key();
    }
    if (!finite(taught.prediction)) return "the forecast";
    return finite(loss) ? first_bad_gradient() : "the loss";
}

std::string Learner::first_bad_gradient() const {
    for (const auto& [name, parameter] : optimizer_->parameters()) {
        if (!finite(parameter.grad())) return "the gradient of " + name;
    }
    return "the norm of the gradients";
}

void Learner::update(double lr, std::int64_t step, StepClock& clock) {
    optimizer_->step(lr);
    clock.lap(&StepClock::optimizer_s);
    if (averages()) update_average(forecaster_.network(), *network_, options_.ema, step + 1);
}

void Learner::undo() {
    const c10::NoGradGuard no_grad;
    std::size_t index = 0;
    for (torch::Tensor& buffer : network_->buffers()) buffer.copy_(buffers_.at(index++));
}

void Learner::publish() {
    if (!averages()) copy_weights(forecaster_.network(), *network_);
}

void Learner::put(Checkpoint& checkpoint) const {
    if (averages()) checkpoint.put_model(*network_, "learner");  // else they are the forecaster's
    checkpoint.put_tensors(optimizer_->state(), "optim");
    for (auto& [name, generator] : generators(forecaster_.device())) {
        const std::lock_guard lock(generator.mutex());
        checkpoint.tensors["rng." + name] = generator.get_state().clone();
    }
}

void Learner::get(const Checkpoint& checkpoint) {
    checkpoint.get_model(*network_, averages() ? "learner" : "model");
    checkpoint.get_model(forecaster_.network());
    optimizer_->load_state(checkpoint.get_tensors("optim"));
    for (auto& [name, generator] : generators(forecaster_.device())) {
        const auto state = checkpoint.tensors.find("rng." + name);
        if (state == checkpoint.tensors.end()) continue;  // of a device that the run was not on before
        const std::lock_guard lock(generator.mutex());
        generator.set_state(state->second);
    }
}

}  // namespace nowcell
