#include "train/learner.h"

#include "train/autocast.h"
#include "train/lesson.h"
#include "train/sampling.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
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

// first: place in the step of the first sample that lesson_ holds.
Supervised Learner::forward(const StepPlan& plan, std::int64_t first, std::int64_t samples) {
    const std::int64_t left_out = forecaster_.data().window.output_steps - plan.leads;
    for (torch::Tensor* frames : {&lesson_.target, &lesson_.guides, &lesson_.seen}) {
        if (frames->defined()) *frames = frames->narrow(1, 0, frames->size(1) - left_out);
    }
    // Of next-frame pairs the lesson's input is the first frame alone.
    const std::int64_t steps = forecaster_.data().window.input_steps;
    const std::int64_t leads = lesson_.input.size(1) + lesson_.target.size(1) - steps;
    const torch::Tensor shown = draw_shown(options_.sampling, plan.step, samples, steps, leads);
    if (shown.defined()) lesson_.shown = shown.narrow(0, first, lesson_.input.size(0));
    const Autocast autocast(options_.precision, forecaster_.device());
    Supervised frames = network_->supervised(lesson_);
    frames.prediction = frames.prediction.to(frames.target.scalar_type());
    return frames;
}

StepOutcome Learner::learn(const std::vector<Batch>& passes, const StepPlan& plan, StepClock& clock) {
    optimizer_->zero_grad();
    buffers_.clear();
    if (options_.on_nan == "skip") {
        for (const torch::Tensor& buffer : network_->buffers()) buffers_.push_back(buffer.clone());
    }
    StepOutcome outcome;
    double total = 0.0;
    double sum = 0.0;
    for (const Batch& batch : passes) {
        const BatchLesson prepared(forecaster_, batch);
        lesson_ = prepared.lesson();
        clock.lap(&StepClock::other_s);
        const Supervised frames = forward(plan, batch.first - plan.first, plan.last - plan.first + 1);
        const torch::Tensor mask = prepared.known(frames);
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
    if (passes.size() > 1 && outcome.known) divide_gradients(optimizer_->parameters(), total);
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
