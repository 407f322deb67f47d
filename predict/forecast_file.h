// Forecasts as a file that other programs read.
#pragma once

#include "data/write/hdf5_stream.h"

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

/// What a forecast file records besides the frames.
struct ForecastRecord {
    std::string units;
    double step_s = 0.0;             ///< 0: lead times are in steps
    std::string source;              ///< path of the input
    std::vector<double> last_input;  ///< index of the last input frame of each recording
    std::string model;
    std::string history;                        ///< the command line
    std::vector<std::int64_t> recordings = {};  ///< number of each recording in the source; empty: 0, 1, ...
    std::vector<double> last_input_s = {};      ///< time of each, seconds from 1970 in `calendar`; empty: not known
    std::string calendar = {};                  ///< of CF; empty: standard
    std::string channel_order = {};             ///< "RGB"; empty: channels have no colours
};

/// Of a forecast, as SourceInfo counts.
struct ForecastShape {
    std::int64_t recordings = 1;
    std::int64_t horizon = 1;
    std::int64_t channels = 1;
    std::int64_t height = 0;
    std::int64_t width = 0;
};

/// Lead times that are made and written together: those of a chunk, about a megabyte.
std::int64_t leads_together(const ForecastShape& shape);

/// Frames (B,T,C,H,W) as they are stored: (B,T,H,W), or (B,T,H,W,C) with more than one channel.
torch::Tensor stored_frames(const torch::Tensor& frames);
/// The shape of all of them.
std::vector<std::int64_t> stored_shape(const ForecastShape& shape);

/// A forecast file being written in pieces: HDF5 that NetCDF-4 reads, after the conventions CF-1.8. `frames`
/// (recording,lead,y,x[,channel]) float32 in physical units, `lead` (lead), `last_input` (recording), and where the
/// time of the source is known `forecast_reference_time` (recording) and `time` (recording,lead).
class ForecastWriter {
 public:
    /// stream: outlives it. Throws Error(output).
    ForecastWriter(Hdf5Stream& stream, const ForecastShape& shape, ForecastRecord record);

    /// frames (B,n,C,H,W) of recordings [first, first + B) and lead times [lead, lead + n), counted from 0; lead is a
    /// multiple of leads_together(), and n is that many, or what is left. Each place is written once.
    void write(std::int64_t first, std::int64_t lead, const torch::Tensor& frames);

    /// Ends the file.
    void close();

 private:
    void add_axes();
    void add_times();
    void add_frames();
    bool dated() const { return !record_.last_input_s.empty() && record_.step_s > 0.0; }

    Hdf5Stream& stream_;
    ForecastShape shape_;
    ForecastRecord record_;
};

/// Writes a forecast that is there, (N,horizon,C,H,W), complete or not at all. Throws Error(output).
void write_forecast(const std::string& path, const torch::Tensor& frames, const ForecastRecord& record);

}  // namespace nowcell
