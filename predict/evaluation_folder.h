// An evaluation as a folder that people and programs read.
#pragma once

#include "predict/pictures/pictures.h"
#include "predict/scores/score_table.h"

#include <functional>
#include <string>

namespace nowcell {

/// Draws one window of a table: input, forecast of the first forecaster, and truth.
using SampleOf = std::function<Forecast(std::int64_t window)>;

/// Refuses, before any work, a folder that has files of an evaluation (unless `force`) or cannot be written.
/// Throws Error(output).
void check_evaluation_folder(const std::string& folder, bool force);

/// Writes scores.json, scores.txt, per_lead.csv, per_sample.csv, curves over lead times, spectra and the diagrams of
/// ensembles as SVG, and strips and GIFs of the best, the median and the worst window of the first forecaster by MAE.
/// All or nothing. Returns the paths. Throws Error(output).
std::vector<std::string> write_evaluation(const std::string& folder, const ScoreReport& report, const SampleOf& sample);

}  // namespace nowcell
