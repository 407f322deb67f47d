// What doctor says of the network of --config.
#include "src/doctor.h"
#include "data/data_options.h"
#include "src/error.h"
#include "src/model_summary.h"
#include "train/train_options.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

namespace nowcell {
namespace {

Finding network_finding(const Config& config) {
    const DataOptions data = DataOptions::from(config);
    const ModelOptions options = ModelOptions::from(config);
    const std::int64_t batch = TrainOptions::from(config).batch;
    const SourceInfo info = open_source(data.source)->info();
    const FrameSize frame{info.height, info.width};
    if (const auto problem = misfit(options, frame, {})) return {"network", Health::fail, problem->what, problem->hint};
    const ModelSummary summary =
        summarize(options, {{info.channels, frame}, batch, data.window.input_steps, data.window.output_steps});
    constexpr double kMiB = 1024.0 * 1024.0;
    return {"network", Health::pass,
            fmt::format("{} parameters, about {:.0f} MiB for a training step of {} windows", summary.parameters,
                        static_cast<double>(summary.memory.total()) / kMiB, batch)};
}

}  // namespace
}  // namespace nowcell

extern "C" void nowcell_doctor_train(const nowcell::Request& request, nowcell::Findings& findings) {
    using namespace nowcell;
    if (!request.has("--config")) return;
    try {
        findings.push_back(network_finding(request.config()));
    } catch (const Error& error) {
        findings.push_back({"network", Health::fail, error.problems().front().what, error.problems().front().hint});
    } catch (const c10::Error& error) {
        findings.push_back({"network", Health::fail, error.what_without_backtrace(), "nowcell config keys model"});
    }
}
