#include "src/rollout.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace nowcell {
namespace {

// The state of layer N in "state.N.h".
State& state_named(SequenceMemory& memory, const std::string& name) {
    const std::string_view prefix = "state.";
    std::size_t layer = 0;
    const char* const begin = name.data() + prefix.size();
    const bool fits = name.rfind(prefix, 0) == 0 && name.size() > prefix.size() + 2;
    const char* const end = fits ? name.data() + name.size() - 2 : begin;
    const auto read = std::from_chars(begin, end, layer);
    constexpr std::size_t kMostLayers = 1000;
    TORCH_CHECK_VALUE(fits && read.ec == std::errc() && read.ptr == end && layer < kMostLayers &&
                          (name.ends_with(".h") || name.ends_with(".c")),
                      "a memory has no tensor ", name);
    memory.states.resize(std::max(memory.states.size(), layer + 1));
    return memory.states[layer];
}

}  // namespace

std::map<std::string, torch::Tensor> SequenceMemory::tensors() const {
    std::map<std::string, torch::Tensor> all = {{"frames", at::scalar_tensor(frames, at::kLong)},
                                                {"leads", at::scalar_tensor(leads, at::kLong)}};
    const auto put = [&](const std::string& name, const torch::Tensor& tensor) {
        if (tensor.defined()) all[name] = tensor;
    };
    for (std::size_t i = 0; i < states.size(); ++i) {
        put(fmt::format("state.{}.h", i), states[i].h);
        put(fmt::format("state.{}.c", i), states[i].c);
    }
    put("history", history.hidden);
    put("last", last);
    put("level", level);
    put("pending", pending);
    return all;
}

SequenceMemory SequenceMemory::from(const std::map<std::string, torch::Tensor>& tensors) {
    SequenceMemory memory;
    const std::map<std::string, torch::Tensor*> fields = {{"history", &memory.history.hidden},
                                                          {"last", &memory.last},
                                                          {"level", &memory.level},
                                                          {"pending", &memory.pending}};
    for (const auto& [name, tensor] : tensors) {
        if (name == "frames" || name == "leads") {
            (name == "frames" ? memory.frames : memory.leads) = tensor.item<std::int64_t>();
        } else if (const auto field = fields.find(name); field != fields.end()) {
            *field->second = tensor;
        } else {
            State& state = state_named(memory, name);
            (name.back() == 'h' ? state.h : state.c) = tensor;
        }
    }
    return memory;
}

}  // namespace nowcell
