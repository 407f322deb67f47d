#include "predict/stream/stream.h"

#include "src/error.h"

#include <xxhash.h>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nowcell {
namespace {

using Json = nlohmann::json;

constexpr const char* kSchema = "nowcell.stream-state/1";

std::uint64_t hash_of(const torch::Tensor& values) { return XXH3_64bits(values.const_data_ptr(), values.nbytes()); }

std::unique_ptr<Context> make_context(const Forecaster& forecaster, const std::string& kind) {
    if (kind == "window") return window_context(forecaster);
    if (kind == "all") return whole_context(forecaster);
    throw Error(ExitCode::usage, fmt::format("unknown context '{}', expected window or all", kind));
}

}  // namespace

Stream::Stream(const Forecaster& forecaster, StreamOptions options)
    : forecaster_(forecaster),
      options_(std::move(options)),
      frame_(options_.frame.value_or(forecaster.trained_on().frame())),
      needed_(options_.min_input > 0 ? options_.min_input : forecaster.history()),
      context_(make_context(forecaster, options_.context)),
      clock_(options_.step, forecaster.trained_on().step_s) {
    if (options_.horizon == 0) options_.horizon = forecaster.data().window.output_steps;
    if (const std::optional<Problem> problem = forecaster.network().misfit(frame_)) {
        throw Error(ExitCode::usage, problem->what, "", problem->hint);
    }
    if (needed_ < forecaster.least_history() || needed_ > forecaster.history()) {
        throw Error(ExitCode::usage, fmt::format("--min-input {}: the model forecasts from {} to {} steps", needed_,
                                                 forecaster.least_history(), forecaster.history()));
    }
}

std::string Stream::shape_text() const {
    const std::int64_t channels = forecaster_.trained_on().channels;
    return fmt::format("{} x {} px of {} channel{}", frame_.height, frame_.width, channels, channels == 1 ? "" : "s");
}

std::optional<Refusal> Stream::misfit(std::int64_t channels, const FrameSize& size, const std::string& units) const {
    const TrainedOn& trained = forecaster_.trained_on();
    const std::string got = fmt::format("got {} x {} px of {} channel{}, expected {}", size.height, size.width,
                                        channels, channels == 1 ? "" : "s", shape_text());
    if (channels != trained.channels) return Refusal{"wrong-channels", got};
    if (size.height != frame_.height || size.width != frame_.width) return Refusal{"wrong-size", got};
    if (units != "1" && trained.units != "1" && units != trained.units) {
        return Refusal{"wrong-units", fmt::format("got values in {}, expected {}", units, trained.units)};
    }
    return {};
}

Observation Stream::observation(std::string result, std::vector<std::string> flags, std::string detail) {
    ++counts_.offered;
    std::int64_t& count = result == "accepted" ? counts_.accepted
                          : result == "filled" ? counts_.filled
                                               : counts_.rejected;
    ++count;
    Observation out{std::move(result), std::move(flags), std::move(detail)};
    out.steps = context_->steps();
    out.context_filled = context_->filled();
    out.ready = out.result != "rejected" && ready();
    if (!ready()) out.flags.push_back("warming-up");
    return out;
}

Observation Stream::reject(const Refusal& why) { return observation("rejected", {why.flag}, why.detail); }

double Stream::missing_share(torch::Tensor& values) const {
    const torch::Tensor known = values.isfinite();
    const auto missing = values.numel() - known.sum().item<std::int64_t>();
    if (missing == 0) return 0.0;
    const bool zero = forecaster_.data().source.missing == "zero";
    values = values.masked_fill(known.logical_not(), zero ? 0.0 : std::numeric_limits<double>::quiet_NaN());
    return static_cast<double>(missing) / static_cast<double>(values.numel());
}

// Each step by the forecast from what is there before it, so that it does not matter when a gap is noticed.
bool Stream::fill(std::int64_t steps) {
    if (options_.gap == "reset" || steps > options_.longest_gap - filled_in_a_row_) return false;
    const bool hold = options_.gap == "hold";
    for (std::int64_t i = 0; i < steps; ++i) {
        if (hold ? !context_->last().defined() : context_->steps_to_next() < needed_) return false;
        context_->observe(hold ? context_->last() : context_->next(), true);
        ++filled_in_a_row_;
    }
    return true;
}

bool Stream::start_over(std::vector<std::string>& flags) {
    filled_in_a_row_ = 0;
    if (context_->steps() == 0) return false;
    context_->reset();
    flags.push_back("reset");
    return true;
}

Observation Stream::observe(torch::Tensor values, const std::optional<FrameTime>& time, bool after_jump) {
    if (const auto refusal = misfit(values.size(0), {values.size(1), values.size(2)})) return reject(*refusal);
    values = values.contiguous();
    const StreamClock::Distance distance = clock_.distance(time);
    const std::uint64_t hash = hash_of(values);
    using Order = StreamClock::Order;
    if (distance.order == Order::late) return reject({"late", "older than the newest frame"});
    if (distance.order == Order::unknown) return reject({"no-time", "frames before it have a time of another kind"});
    if (distance.order == Order::same) {
        return hash == last_hash_ ? reject({"duplicate", "the newest frame once more"})
                                  : reject({"conflict", "another frame of the newest frame's time"});
    }
    clock_.advance(time);
    last_hash_ = hash;

    std::vector<std::string> flags;
    const double missing = missing_share(values);
    // Nothing is to be filled where the model was not trained on missing values.
    const bool none =
        missing > 0.0 && (missing >= options_.most_missing || forecaster_.data().source.missing == "error");
    if (missing > 0.0) flags.push_back(none ? "missing" : "partly-missing");
    if (distance.off_step) flags.push_back("off-step");
    const std::int64_t gap = distance.steps - (none ? 0 : 1);
    std::int64_t filled = 0;
    bool void_before = distance.shorter || after_jump;
    if (gap > 0 && !void_before) {
        if (distance.steps > 1) flags.push_back("gap");
        if (fill(gap)) {
            filled = gap;
            flags.push_back(options_.gap == "hold" ? "gap-held" : "gap-filled");
        } else {
            void_before = true;
        }
    }
    if (void_before) start_over(flags);
    if (!none) {
        context_->observe(values, false);
        filled_in_a_row_ = 0;
    }
    Observation out = observation(!none ? "accepted" : filled > 0 ? "filled" : "rejected", std::move(flags));
    out.missing = missing;
    out.filled_steps = filled;
    if (out.context_filled > 0) out.flags.push_back("context-filled");
    return out;
}

SafeTensors Stream::save(const std::string& model) const {
    SafeTensors file;
    context_->save(file);
    const Json json = {
        {"schema", kSchema},
        {"model", model},
        {"context", options_.context},
        {"frame", {forecaster_.trained_on().channels, frame_.height, frame_.width}},
        {"missing", forecaster_.data().source.missing},
        {"clock", clock_.save()},
        {"offered", counts_.offered},
        {"accepted", counts_.accepted},
        {"filled", counts_.filled},
        {"rejected", counts_.rejected},
        {"filled_in_a_row", filled_in_a_row_},
        {"last_hash", last_hash_},
    };
    file.metadata["stream"] = json.dump();
    return file;
}

void Stream::load(const SafeTensors& saved, const std::string& model, const std::string& path) {
    const auto fail = [&](const std::string& why) {
        throw Error(ExitCode::model, fmt::format("cannot go on from {}: {}", path, why), "",
                    "name another --state, or remove this one to begin a new stream");
    };
    if (saved.metadata.count("stream") == 0) fail("it is not the state of a stream");
    try {
        const Json json = Json::parse(saved.metadata.at("stream"));
        const auto expect = [&](const char* name, const Json& expected) {
            if (json.at(name) != expected)
                fail(fmt::format("its {} is {}, expected {}", name, json.at(name).dump(), expected.dump()));
        };
        expect("schema", kSchema);
        if (json.at("model") != model) fail("it is of another model");
        expect("context", options_.context);
        expect("frame", {forecaster_.trained_on().channels, frame_.height, frame_.width});
        expect("missing", forecaster_.data().source.missing);
        context_->load(saved);
        clock_.load(json.at("clock"));
        counts_ = {json.at("offered"), json.at("accepted"), json.at("filled"), json.at("rejected")};
        filled_in_a_row_ = json.at("filled_in_a_row");
        last_hash_ = json.at("last_hash");
    } catch (const Error&) {
        throw;
    } catch (const std::exception& error) {
        fail(error.what());
    }
}

std::string identity_of(const Forecaster& forecaster) {
    Checkpoint checkpoint;
    forecaster.put(checkpoint);
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    const auto add = [&](const void* bytes, std::size_t count) { XXH3_128bits_update(&state, bytes, count); };
    for (const auto& [name, tensor] : checkpoint.tensors) {
        add(name.data(), name.size());
        if (!tensor.defined()) continue;
        const torch::Tensor plain = tensor.cpu().contiguous();
        add(plain.const_data_ptr(), plain.nbytes());
    }
    for (const auto& [name, text] : checkpoint.sections) {
        if (name != "config") add(text.data(), text.size());  // which holds the paths and the device of a run too
    }
    const XXH128_hash_t hash = XXH3_128bits_digest(&state);
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace nowcell
