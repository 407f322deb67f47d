#include "train/run_facts.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <nlohmann/json.hpp>
#include <opencv2/core/version.hpp>
#include <torch/version.h>

#include <numeric>

namespace nowcell {
namespace {

nlohmann::ordered_json versions() {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    return {{"nowcell", NOWCELL_VERSION},
            {"libtorch", TORCH_VERSION},
            {"opencv", CV_VERSION},
            {"hdf5", fmt::format("{}.{}.{}", major, minor, release)}};
}

nlohmann::ordered_json data_facts(const SourceInfo& info) {
    const std::int64_t frames = std::accumulate(info.frames.begin(), info.frames.end(), std::int64_t{0});
    return {{"path", info.path},
            {"dataset", info.dataset},
            {"fingerprint", info.fingerprint},
            {"recordings", info.frames.size()},
            {"frames", frames},
            {"frame", {info.channels, info.height, info.width}}};
}

}  // namespace

nlohmann::ordered_json run_facts(const Request& request, const Forecaster& forecaster, const SourceInfo& info) {
    return {{"command", request.command_line},
            {"versions", versions()},
            {"device", forecaster.device().str()},
            {"threads", at::get_num_threads()},
            {"seed", forecaster.config().integer("train.seed")},
            {"data", data_facts(info)},
            {"parameters", forecaster.network().parameter_count()}};
}

}  // namespace nowcell
