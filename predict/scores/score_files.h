// A score table as programs read it.
#pragma once

#include "predict/scores/score_table.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace nowcell {

/// The document that evaluate_schema() describes, `nowcell.evaluate/2`; NaN becomes null.
nlohmann::ordered_json score_document(const ScoreReport& report);

/// The JSON Schema of that document.
std::string evaluate_schema();

/// forecaster,metric,threshold,scale,lead,unit,value
std::string score_csv(const ScoreTable& table);

/// The same of several reports, behind a column "data".
std::string score_csv(const std::vector<ScoreReport>& reports);

/// Window by window, over all lead times: recording,frame,forecaster and a column for each score that is a function of
/// sums. `frame`: the last one that the forecast is made from.
std::string sample_csv(const ScoreTable& table);

}  // namespace nowcell
