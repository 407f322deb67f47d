// A stream as a service: frames from a feed, forecasts and lines about them out, its state on disk.
#pragma once

#include "predict/stream/frame_feed.h"
#include "predict/stream/state_file.h"
#include "predict/stream/stream_output.h"
#include "src/stop_signal.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace nowcell {

struct ServiceOptions {
    std::string input;   ///< a folder, or "-"
    std::string output;  ///< a folder, or "-"
    std::string status;  ///< a file, "-", or "": no lines
    std::string state;   ///< a file, or "": not kept
    std::string dataset;
    std::string layout;
    std::int64_t save_every = 1;  ///< frames
    std::int64_t keep = 0;        ///< forecast files; 0: all
    bool every_forecast = true;   ///< false: none where another frame is waiting
    std::int64_t max_frames = 0;  ///< of this run; 0: no end
    double until_idle_s = 0.0;    ///< ends when no frame has come for so long; 0: never
    double max_ahead_s = 0.0;     ///< of a frame's date from now; 0: any
    WatchOptions watch;
    bool force = false;
    std::string model;         ///< as typed, for the record
    std::string command_line;  ///< likewise
};

/// Runs until the input ends, a limit is reached or a signal comes; then saves.
class Service {
 public:
    /// forecaster and stream outlive it. Throws Error as the parts do.
    Service(const Forecaster& forecaster, Stream& stream, ServiceOptions options);

    /// Returns the signal that stopped it, or 0. Throws Error(data) when the input cannot be read on, Error(output).
    int run();

    std::int64_t frames() const { return frames_; }        ///< offered in this run
    std::int64_t forecasts() const { return forecasts_; }  ///< made in this run

 private:
    using Clock = std::chrono::steady_clock;

    void open_input(const SafeTensors& saved);
    std::optional<Offer> next();
    void step(const Offer& offer, Clock::time_point start);
    Observation observe(const Offer& offer);
    void tell(const Offer& offer, const Observation& seen, const std::string& path, double latency_s);
    void note_file(const Offer& offer);
    void save();

    const Forecaster& forecaster_;
    Stream& stream_;
    ServiceOptions options_;
    StopSignal stop_;
    std::string identity_;
    std::unique_ptr<StateFile> state_;
    ForecastOutput output_;
    StatusLines status_;
    std::unique_ptr<WatchedFolder> folder_;
    std::unique_ptr<FrameFeed> feed_;
    FolderFeed* files_ = nullptr;  // the feed, of a folder
    std::vector<StateFile::Taken> again_;
    std::string last_forecast_;
    std::int64_t frames_ = 0;
    std::int64_t forecasts_ = 0;
    std::int64_t saved_ = 0;  // frames offered when the state was last saved
    bool whole_ = true;       // between two files
};

}  // namespace nowcell
