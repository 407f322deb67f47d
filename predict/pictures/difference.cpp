#include "predict/pictures/panels.h"
#include "predict/pictures/pictures.h"
#include "predict/pictures/preview_pictures.h"
#include "predict/pictures/ticks.h"
#include "src/error.h"

#include <algorithm>
#include <vector>

namespace nowcell {

void write_difference(const std::string& path, const Forecast& forecast, const ColourScale& scale, int panels) {
    check_forecast(forecast);
    const std::int64_t known = known_leads(forecast);
    if (known == 0) throw Error(ExitCode::internal, "cannot draw differences: got a forecast without truth");
    const std::string units = readable_units(scale.units);
    const auto leads = thinned(known, std::max(panels, 1));
    std::vector<torch::Tensor> frames;
    std::vector<double> errors;
    for (const std::int64_t lead : leads) {
        frames.push_back((forecast.forecast[lead].to(torch::kFloat32) - forecast.truth[lead]).mean(0, true));
        errors.push_back(mean_absolute_error(field_at(forecast.forecast, lead), field_at(forecast.truth, lead)));
    }
    FrameSequence sequence{torch::stack(frames), {}, forecast.title};
    const auto texts = number_labels(errors);
    for (std::size_t i = 0; i < leads.size(); ++i) {
        sequence.labels.push_back(lead_label(leads[i] + 1, forecast.step_s) + "  MAE " + texts[i]);
    }
    write_sheet(path, sequence, error_scale(forecast, with_units("forecast - truth", units)));
}

}  // namespace nowcell
