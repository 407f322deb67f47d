// What a stream leaves: forecasts, and a line about every frame.
#pragma once

#include "predict/forecast_file.h"
#include "predict/stream/frame_feed.h"

#include <nlohmann/json_fwd.hpp>

#include <deque>
#include <string>

namespace nowcell {

/// Forecasts as files of a folder, or as arrays on standard output.
class ForecastOutput {
 public:
    /// path: a folder, or "-". keep: files that stay, the newest ones; 0: all.
    ForecastOutput(std::string path, std::int64_t keep) : path_(std::move(path)), keep_(keep) {}

    /// Makes the folder and removes what a killed process was writing. goes_on: forecasts that are there are this
    /// stream's own; else they are refused, unless `force`. Throws Error(output).
    void begin(bool goes_on, bool force);

    /// frames: (horizon,C,H,W). Returns the path, or "-". Throws Error(output).
    std::string write(const torch::Tensor& frames, const Offer& offer, std::int64_t sequence, ForecastRecord record);

 private:
    std::string path_;
    std::int64_t keep_;
    std::deque<std::string> files_;  // with keep: what is there, oldest first
};

/// "forecast_20260101T120500.h5" by the frame's time, "forecast_00000017.h5" by its number.
std::string forecast_name(const Offer& offer, std::int64_t sequence);

/// Lines of JSON, each written in one piece: to a file that is appended to, to standard output, or nowhere.
class StatusLines {
 public:
    /// path: a file, "-", or "" for nowhere.
    explicit StatusLines(std::string path) : path_(std::move(path)) {}

    /// Throws Error(output).
    void write(const nlohmann::ordered_json& line) const;

 private:
    std::string path_;
};

}  // namespace nowcell
