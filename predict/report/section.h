// Parts of a report, before it is known what fits on the page.
#pragma once

#include "predict/report/embedding.h"
#include "predict/report/evaluation_file.h"
#include "predict/report/markup.h"
#include "predict/report/run_files.h"

#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// Text or a figure.
struct Part {
    std::string name;  ///< what is said to be left out when the page is full
    Markup text = {};
    std::optional<Figure> figure = {};
};

/// A headed piece of the page.
struct Section {
    std::string heading;
    std::vector<Part> parts;

    void add(const std::string& name, Markup text) { parts.push_back({name, std::move(text)}); }
    void add_heading(const std::string& plain) { add(plain, element("h3", plain)); }
    void add(Figure figure) {
        std::string name = figure.caption;
        parts.push_back({std::move(name), {}, std::move(figure)});
    }
};

/// A run, an evaluation, or a run with its evaluation.
struct Subject {
    std::string name;
    std::optional<RunFiles> run = {};
    std::optional<EvaluationFile> scores = {};
};

/// Adds what is known of a run: state, data, network, best epoch, how to repeat it, curves, a sample.
void add_run(Section& section, const RunFiles& run);

/// Adds scores: what they say in a sentence, the table, comparisons, thresholds, lead times, curves, samples.
void add_scores(Section& section, const EvaluationFile& scores);

/// Adds scores over lead times, spectra, reliability, ROC and rank histograms as drawings.
void add_score_curves(Section& section, const EvaluationFile& scores);

/// Adds pictures of the best, a median and the worst sample from the folder of a file of scores, and one animation.
void add_samples(Section& section, const EvaluationFile& scores);

/// A table of all subjects, and what their configurations have different.
Section comparison_of(const std::vector<Subject>& subjects);

/// Numbers with four significant digits for the largest, all with the same decimals; "-" for NaN.
std::vector<std::string> column_texts(const std::vector<double>& values);

/// "123 456": digits in groups of three.
std::string grouped(const std::string& digits);

/// Which of the values is best by the rules of a metric: true for each that is; none where that has no meaning.
std::vector<bool> best_of(const std::string& metric, const std::vector<double>& values);

/// "MAE", "pooled CSI": how people write the name of a metric.
std::string metric_name(const std::string& metric);

/// "CSI >= 5 mm/h, 4 px".
std::string quantity_name(const Quantity& quantity, const std::string& units);

}  // namespace nowcell
