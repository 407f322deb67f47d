// What doctor says of the network of --config.
#include "src/doctor.h"
#include "data/data_options.h"
#include "src/error.h"
#include "src/sequence_model.h"
#include "train/train_options.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

namespace nowcell {
namespace {

constexpr double kBytesPerParameter = 16.0;  // weight, gradient, two moments of Adam

// Floats that a training step keeps per hidden unit and step, as `nowcell bench memory` measures them.
double floats_kept(const std::string& memory) { return memory == "store" ? 8.0 : memory == "recompute" ? 4.0 : 3.1; }

Finding network_finding(const Config& config) {
    const DataOptions data = DataOptions::from(config);
    const ModelOptions options = ModelOptions::from(config);
    const std::int64_t batch = TrainOptions::from(config).batch;
    const SourceInfo info = open_source(data.source)->info();
    const FrameSize frame{info.height, info.width};
    if (const auto problem = misfit(options, frame, {})) return {"network", Health::fail, problem->what, problem->hint};
    const auto network = make_sequence_model(info.channels, options, frame);
    const double parameters = static_cast<double>(network->parameter_count());
    const auto steps = static_cast<double>(batch * (data.window.input_steps + data.window.output_steps));
    FrameSize size{frame.height / options.patch, frame.width / options.patch};
    double bytes = 0.0;
    for (const LayerOptions& layer : options.layers) {
        size = hidden_size(layer, size);
        bytes +=
            4.0 * floats_kept(layer.memory) * steps * static_cast<double>(layer.filters * size.height * size.width);
    }
    constexpr double kMiB = 1024.0 * 1024.0;
    return {"network", Health::pass,
            fmt::format("{:.0f} parameters ({:.0f} MiB with gradients and Adam), about {:.0f} MiB for the layers of a "
                        "training step of {} windows",
                        parameters, kBytesPerParameter * parameters / kMiB, bytes / kMiB, batch)};
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
