// A score table as people and programs read it.
#pragma once

#include "predict/evaluation.h"

#include <string>

namespace nowcell {

/// What a table is about.
struct ScoreContext {
    std::string model;  ///< as typed
    std::string data;
    std::string split;  ///< "test", ... or "all"
    std::string note;   ///< why this part
};

/// Two aligned tables: every metric over all lead times with the model's skill against each forecaster, and the MAE of
/// each lead time. The best of each column has a "*". Below: compare_with_best.
std::string score_text(const ScoreTable& table, const ScoreContext& context);

/// {"schema":"nowcell.evaluate/1",...,"rows":[{"forecaster","metric","lead","unit","value"}],"comparison":{...}}; NaN
/// becomes null.
std::string score_json(const ScoreTable& table, const ScoreContext& context);

/// forecaster,metric,lead,unit,value
std::string score_csv(const ScoreTable& table);

}  // namespace nowcell
