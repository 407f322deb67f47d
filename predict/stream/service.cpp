#include "predict/stream/service.h"

#include "src/error.h"
#include "src/files.h"
#include "src/log.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace nowcell {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kWait_s = 0.2;  // between looks for a signal

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double now_unix_s() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::vector<std::int64_t> numbers_of(const SafeTensors& saved) {
    const auto found = saved.tensors.find("seen");
    if (found == saved.tensors.end()) return {};
    const torch::Tensor& seen = found->second;
    return {seen.const_data_ptr<std::int64_t>(), seen.const_data_ptr<std::int64_t>() + seen.numel()};
}

}  // namespace

Service::Service(const Forecaster& forecaster, Stream& stream, ServiceOptions options)
    : forecaster_(forecaster),
      stream_(stream),
      options_(std::move(options)),
      identity_(identity_of(forecaster)),
      output_(options_.output, options_.keep),
      status_(options_.status) {
    if (options_.input != "-") check_watched(options_.input);
    SafeTensors saved;
    bool goes_on = false;
    if (!options_.state.empty()) {
        state_ = std::make_unique<StateFile>(options_.state);
        if (auto state = state_->load()) {
            saved = std::move(*state);
            stream_.load(saved, identity_, options_.state);
            saved_ = stream_.counts().offered;
            goes_on = true;
        }
        again_ = state_->taken_after(saved_);
        goes_on = goes_on || !again_.empty();
    }
    std::error_code ignored;
    if (std::filesystem::equivalent(options_.input, options_.output, ignored)) {
        throw Error(ExitCode::usage, "forecasts would go into the folder that is watched for frames", "",
                    "choose another --output");
    }
    output_.begin(goes_on, options_.force);
    open_input(saved);
    const std::string where = options_.input == "-" ? "standard input" : options_.input;
    if (goes_on) {
        log_info(fmt::format("goes on after frame {}; {}", saved_,
                             files_ != nullptr ? fmt::format("{} files are taken again", again_.size())
                                               : fmt::format("send frame {} next", saved_ + 1)));
    }
    log_info(fmt::format("frames from {}, forecasts of {} lead times to {}", where, stream_.options().horizon,
                         options_.output == "-" ? "standard output" : options_.output));
    status_.write(Json{{"event", goes_on ? "resumed" : "started"},
                       {"schema", "nowcell.stream/1"},
                       {"model", options_.model},
                       {"input", options_.input},
                       {"next_sequence", saved_ + 1},
                       {"needed_steps", stream_.needed_steps()},
                       {"horizon", stream_.options().horizon}});
}

void Service::open_input(const SafeTensors& saved) {
    if (options_.input == "-") {
        feed_ = std::make_unique<PipeFeed>(STDIN_FILENO, stream_);
        return;
    }
    std::vector<std::string> first;
    for (const StateFile::Taken& file : again_) first.push_back(file.name);
    folder_ = std::make_unique<WatchedFolder>(options_.input, options_.watch, numbers_of(saved), first);
    SourceOptions source = forecaster_.data().source;
    if (!options_.dataset.empty()) source.dataset = options_.dataset;
    if (!options_.layout.empty()) source.layout = options_.layout;
    auto files = std::make_unique<FolderFeed>(*folder_, stream_, std::move(source), forecaster_.trained_on().channels,
                                              forecaster_.trained_on().step_s);
    if (!again_.empty()) files->skip(std::max<std::int64_t>(0, saved_ + 1 - again_.front().sequence));
    files_ = files.get();
    feed_ = std::move(files);
}

int Service::run() {
    Clock::time_point active = Clock::now();
    while (stop_.received() == 0) {
        if (options_.max_frames > 0 && frames_ >= options_.max_frames) break;
        const Clock::time_point start = Clock::now();
        if (auto offer = next()) {
            step(*offer, start);
            active = Clock::now();
            continue;
        }
        if (feed_->ended()) break;
        if (options_.until_idle_s > 0.0 && seconds_since(active) > options_.until_idle_s) break;
        feed_->wait(kWait_s);
    }
    save();
    return stop_.received();
}

// What was read before an input that cannot be read on is not lost.
std::optional<Offer> Service::next() {
    try {
        return feed_->next();
    } catch (const Error&) {
        save();
        throw;
    }
}

// A file is noted before its first frame is taken: should the process be killed, it is taken again in its turn.
void Service::note_file(const Offer& offer) {
    const bool first = std::exchange(whole_, offer.whole);
    if (!state_ || files_ == nullptr || !first) return;
    while (!again_.empty()) {  // it is noted already
        const bool same = again_.front().name == files_->name();
        again_.erase(again_.begin());
        if (same) return;
    }
    state_->take({stream_.counts().offered + 1, files_->name()});
}

Observation Service::observe(const Offer& offer) {
    if (offer.refusal) return stream_.reject(*offer.refusal);
    const bool ahead = options_.max_ahead_s > 0.0 && offer.time && offer.time->dated &&
                       offer.time->value > now_unix_s() + options_.max_ahead_s;
    if (ahead) return stream_.reject({"ahead", "its time has not come yet"});
    return stream_.observe(offer.values, offer.time, offer.after_jump);
}

void Service::step(const Offer& offer, Clock::time_point start) {
    note_file(offer);
    Observation seen = observe(offer);
    std::string path;
    if (seen.ready && !options_.every_forecast && feed_->waiting()) {
        seen.ready = false;
        seen.flags.push_back("lag");
    }
    if (seen.ready) {
        const TrainedOn& trained = forecaster_.trained_on();
        ForecastRecord record{trained.units,
                              trained.step_s * static_cast<double>(forecaster_.data().window.frame_step),
                              {},
                              {},
                              options_.model,
                              options_.command_line};
        path = output_.write(stream_.forecast(), offer, stream_.counts().offered, std::move(record));
        last_forecast_ = path;
        ++forecasts_;
    }
    ++frames_;
    tell(offer, seen, path, seconds_since(start));
    if (stream_.counts().offered - saved_ >= options_.save_every) save();
}

void Service::tell(const Offer& offer, const Observation& seen, const std::string& path, double latency_s) {
    const bool listed = options_.output != "-" && options_.status != "-";
    if (!path.empty() && listed) fmt::print("{}\n", path);
    if (!path.empty() && listed) std::fflush(stdout);
    const std::string what = fmt::format("frame {} ({}{}{}): {}{}{}{}", stream_.counts().offered, offer.source,
                                         offer.time_text.empty() ? "" : ", ", offer.time_text, seen.result,
                                         seen.flags.empty() ? "" : fmt::format(" [{}]", fmt::join(seen.flags, ", ")),
                                         seen.detail.empty() ? "" : ": ", seen.detail);
    if (seen.result == "accepted") {
        log_verbose(what);
    } else {
        log_warning(what);
    }
    const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
    status_.write(Json{{"sequence", stream_.counts().offered},
                       {"source", offer.source},
                       {"index", offer.index},
                       {"time", or_null(offer.time_text)},
                       {"result", seen.result},
                       {"flags", seen.flags},
                       {"detail", or_null(seen.detail)},
                       {"missing", seen.missing},
                       {"filled_steps", seen.filled_steps},
                       {"context_steps", seen.steps},
                       {"context_filled", seen.context_filled},
                       {"forecast", or_null(path)},
                       {"valid_forecast", or_null(last_forecast_)},
                       {"latency_s", latency_s},
                       {"saved_sequence", saved_}});
}

void Service::save() {
    if (!state_ || (saved_ == stream_.counts().offered && saved_ > 0)) return;
    SafeTensors file = stream_.save(identity_);
    if (folder_) {
        const std::vector<std::int64_t> seen = folder_->seen();
        file.tensors["seen"] = at::tensor(seen, at::kLong);
    }
    state_->save(file);
    saved_ = stream_.counts().offered;
    if (whole_ && again_.empty()) state_->forget();
}

}  // namespace nowcell
