#include "predict/forecast_file.h"

#include "data/write/hdf5_io.h"

#include <ATen/ATen.h>

namespace nowcell {

void write_forecast(const std::string& path, const torch::Tensor& frames, const ForecastRecord& record) {
    const bool single = frames.size(2) == 1;
    const torch::Tensor stored = (single ? frames.squeeze(2) : frames.permute({0, 1, 3, 4, 2})).contiguous();
    std::vector<std::int64_t> chunk = stored.sizes().vec();
    chunk[0] = chunk[1] = 1;
    const bool timed = record.step_s > 0.0;
    const torch::Tensor lead = at::arange(1, frames.size(1) + 1, at::kDouble) * (timed ? record.step_s : 1.0);
    const torch::Tensor last = at::tensor(record.last_input, at::kDouble);
    write_hdf5(path,
               {{"/frames",
                 stored,
                 chunk,
                 {{"units", record.units},
                  {"dimensions", std::string(single ? "recording lead y x" : "recording lead y x channel")},
                  {"long_name", std::string("forecast")}}},
                {"/lead",
                 lead,
                 {},
                 {{"units", std::string(timed ? "s" : "steps")},
                  {"long_name", std::string("time after the last input frame")}}},
                {"/last_input", last, {}, {{"long_name", std::string("index of the last input frame")}}}},
               {{"schema", std::string("nowcell.forecast/1")},
                {"source", record.source},
                {"model", record.model},
                {"step_s", record.step_s},
                {"history", record.history}});
}

}  // namespace nowcell
