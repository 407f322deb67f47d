#include "cells/cuda/glue/graphs.h"

#include "cells/cuda/glue/conv_lstm_cuda.h"
#include "cells/cuda_graph.h"
#include "cells/frame_layout.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>

namespace nowcell::cuda {
namespace {

using Tensors = std::vector<torch::Tensor>;

constexpr std::size_t kMostKinds = 16;
constexpr std::size_t kStates = 3;  // of ConvLstmArguments::tensors(): x, h, c are copied, the weights are not

struct Kind {
    std::string key;
    bool refused = false;  // its capture failed
    std::unique_ptr<at::cuda::CUDAGraph> graph;
    Tensors inputs, outputs;  // where the graph reads and writes
};

struct Kinds {
    std::mutex mutex;
    std::list<Kind> newest_first;
};

// Never freed: at the end of the program the driver may be gone.
Kinds& kinds() {
    static auto* const all = new Kinds;
    return *all;
}

void describe(std::ostream& out, const Tensors& tensors) {
    for (const torch::Tensor& tensor : tensors) {
        if (!tensor.defined()) {
            out << "-;";
            continue;
        }
        out << tensor.scalar_type() << tensor.sizes() << tensor.strides() << ';';
    }
}

std::string key_of(const char* pass, const ConvLstmArguments& a, const Tensors& more, const std::string& options) {
    std::ostringstream out;
    const CellRules& rules = a.rules;
    const c10::cuda::CUDAStream stream = c10::cuda::getCurrentCUDAStream();
    const at::Context& context = at::globalContext();
    out << pass << ' ' << options << ' ' << name_of(a.algorithm) << ' ' << at::IntArrayRef(rules.convolution.stride)
        << at::IntArrayRef(rules.convolution.dilation) << name_of(rules.convolution.padding) << ' '
        << name_of(rules.activation) << ' ' << name_of(rules.recurrent_activation) << ' ' << int{stream.device_index()}
        << ' ' << stream.id() << ' ' << context.deterministicAlgorithms() << context.deterministicCuDNN()
        << context.userEnabledCuDNN() << context.allowTF32CuDNN(at::Float32Op::CONV) << ' ';
    const Tensors tensors = a.tensors();
    describe(out, tensors);
    for (std::size_t i = kStates; i < tensors.size(); ++i) {
        if (tensors[i].defined()) out << tensors[i].const_data_ptr() << ';';
    }
    describe(out, more);
    return out.str();
}

// Dense, in the same layout.
torch::Tensor room_for(const torch::Tensor& tensor) {
    if (!tensor.defined()) return {};
    return empty_frames(tensor.sizes(), tensor.options(), tensor.dim() == 5 && is_channels_last(tensor));
}

void fill(const Tensors& targets, const Tensors& values) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
        if (targets[i].defined()) targets[i].copy_(values[i], /*non_blocking=*/true);
    }
}

Tensors copies(const Tensors& tensors) {
    Tensors result;
    for (const torch::Tensor& tensor : tensors) result.push_back(room_for(tensor));
    fill(result, tensors);
    return result;
}

using Body = std::function<Tensors(const Tensors& inputs)>;

// Ends a capture that an exception has left open.
void abandon(at::cuda::CUDAGraph& graph) {
    try {
        graph.capture_end();
    } catch (const c10::Error&) {  // it is invalid already
    }
}

void capture(Kind& kind, const Tensors& inputs, const Body& body) {
    kind.inputs = copies(inputs);
    c10::cuda::device_synchronize();
    const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool(false, inputs[0].get_device());
    const c10::cuda::CUDAStreamGuard guard(side);
    body(kind.inputs);  // libraries set themselves up, which a capture would not allow
    c10::cuda::device_synchronize();
    auto graph = std::make_unique<at::cuda::CUDAGraph>();
    graph->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
        kind.outputs = body(kind.inputs);
    } catch (...) {
        abandon(*graph);
        throw;
    }
    graph->capture_end();
    kind.graph = std::move(graph);
}

// The kind with that key, first in the list; null: seen for the first time.
Kind* known(std::list<Kind>& all, const std::string& key) {
    for (auto kind = all.begin(); kind != all.end(); ++kind) {
        if (kind->key != key) continue;
        all.splice(all.begin(), all, kind);
        return &all.front();
    }
    if (all.size() == kMostKinds) {
        if (all.back().graph != nullptr) c10::cuda::device_synchronize();  // it may be running
        all.pop_back();
    }
    all.push_front({key, false, nullptr, {}, {}});
    return nullptr;
}

// What `body` returns, as new tensors; nothing where it must run as it is.
std::optional<Tensors> replayed(const std::string& key, const Tensors& inputs, const Body& body) {
    Kinds& all = kinds();
    const std::lock_guard lock(all.mutex);
    Kind* const kind = known(all.newest_first, key);
    if (kind == nullptr || kind->refused) return std::nullopt;
    if (kind->graph == nullptr) {
        try {
            capture(*kind, inputs, body);
        } catch (const c10::Error& error) {
            TORCH_WARN("ConvLstm: a sequence cannot be captured as a CUDA graph, and runs without: ",
                       error.what_without_backtrace());
            *kind = {key, true, nullptr, {}, {}};
            return std::nullopt;
        }
    }
    fill(kind->inputs, inputs);
    kind->graph->replay();
    return copies(kind->outputs);
}

ConvLstmArguments with_states(const ConvLstmArguments& a, const Tensors& inputs) {
    ConvLstmArguments other = a;
    other.x = inputs[0];
    other.state = {inputs[1], inputs[2]};
    return other;
}

}  // namespace

bool may_capture() {
    return cuda_graphs_used() && c10::cuda::currentStreamCaptureStatusMayInitCtx() == c10::cuda::CaptureStatus::None;
}

ConvLstmResult forward_by_graph(const ConvLstmArguments& a, Saved saved) {
    const Body body = [&](const Tensors& inputs) -> Tensors {
        const ConvLstmResult r = forward_on_kernels(with_states(a, inputs), saved);
        return {r.h, r.last.h, r.last.c, r.c, r.gates};
    };
    const std::optional<Tensors> r =
        replayed(key_of("forward", a, {}, name_of(saved)), {a.x, a.state.h, a.state.c}, body);
    if (!r) return forward_on_kernels(a, saved);
    return {(*r)[0], {(*r)[1], (*r)[2]}, (*r)[3], (*r)[4]};
}

Tensors backward_by_graph(const ConvLstmArguments& a, const ConvLstmResult& result, const torch::Tensor& outputs,
                          const State& last, const std::vector<bool>& wanted) {
    const Tensors more = {result.h, result.c, result.gates, outputs, last.h, last.c};
    std::string options;
    for (const bool one : wanted) options += one ? '1' : '0';
    const Body body = [&](const Tensors& in) {
        const ConvLstmResult kept{in[3], {}, in[4], in[5]};
        return backward_on_kernels(with_states(a, in), kept, in[6], {in[7], in[8]}, wanted);
    };
    Tensors inputs = {a.x, a.state.h, a.state.c};
    inputs.insert(inputs.end(), more.begin(), more.end());
    const std::optional<Tensors> d = replayed(key_of("backward", a, more, options), inputs, body);
    return d ? *d : backward_on_kernels(a, result, outputs, last, wanted);
}

}  // namespace nowcell::cuda
