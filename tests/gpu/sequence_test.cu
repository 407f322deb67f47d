// The loop over time with each engine against the host: states, gradients, what is kept and what is computed again.
#include "tests/gpu/naive_convolution.h"
#include "tests/gpu/sequence_reference.h"

#include <algorithm>
#include <deque>
#include <limits>

namespace nowcell::cuda {
namespace {

using test::DeviceBuffer;
using test::Floats;
using test::SequenceCase;
using test::SequenceReference;

enum class Keep { nothing, gates, states, some };

constexpr const char* kDHidden = "d_hidden";

// How a sequence is run.
struct Mode {
    Engine engine = Engine::separate;
    Keep keep = Keep::gates;
    int chunk = 1;          // steps of a call
    bool gap = false;       // between the items of a call's gates
    bool in_place = false;  // d_gates over the input part

    std::string text() const {
        const char* const engines[] = {"separate", "accumulate", "implicit gemm"};
        const char* const kept[] = {"nothing", "gates", "states", "some states"};
        return std::string(engines[static_cast<int>(engine)]) + ", keeps " + kept[static_cast<int>(keep)] +
               ", calls of " + std::to_string(chunk) + (gap ? ", gaps" : "") + (in_place ? ", in place" : "");
    }
};

double tolerance_of(const SequenceCase& c, const Mode& mode, Storage storage) {
    if (storage == Storage::float32) return mode.engine == Engine::implicit_gemm ? 1e-2 : c.norm ? 1e-4 : 3e-5;
    return (c.norm ? 20.0 : 8.0) * test::tolerance_of(storage);
}

class Trial {
 public:
    Trial(const SequenceReference& truth, const Mode& mode) : truth_(truth), c_(truth.c), mode_(mode) {
        layer_.shape = c_.shape;
        layer_.storage = truth.storage;
        layer_.engine = mode.engine;
        layer_.rules = {c_.activation, c_.recurrent, floats(truth.peephole), c_.pixel};
        layer_.norm = {c_.over, floats(truth.input_scale), floats(truth.input_shift), floats(truth.hidden_scale),
                       floats(truth.hidden_shift)};
        layer_.bias = floats(truth.bias);
        layer_.kernel = c_.kernel;
        convolution_ = new test::NaiveConvolution(c_.shape, truth.storage, c_.kernel, stored(truth.weights));
        layer_.convolution = convolution_;
        if (mode.engine == Engine::implicit_gemm) pack();
        every_ = mode.keep == Keep::some ? mode.chunk : 1;
        frame_ = static_cast<std::int64_t>(c_.frame());
        allocate();
        for (int first = 0; first < c_.steps; first += mode.chunk) forward_.push_back(forward_call(first));
        if (mode.keep == Keep::nothing) return;
        for (int first = (c_.steps - 1) / mode.chunk * mode.chunk; first >= 0; first -= mode.chunk) {
            backward_.push_back(backward_call(first));
        }
    }
    ~Trial() { delete convolution_; }
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;

    // Inputs that calls overwrite, and sums that they add to.
    void fill() {
        for (const Filled& f : filled_) f.buffer->write(f.values);
    }
    cudaError_t launch(cudaStream_t stream) {
        for (const SequenceForward& call : forward_) {
            if (const cudaError_t error = run_forward(layer_, call, stream); error != cudaSuccess) return error;
        }
        for (const SequenceBackward& call : backward_) {
            if (const cudaError_t error = run_backward(layer_, call, stream); error != cudaSuccess) return error;
        }
        return cudaSuccess;
    }
    void compare() const {
        expect("h", *h_, truth_.h);
        expect("last c", state_behind(forward_.back(), c_.steps - 1), last_cell());
        if (mode_.keep == Keep::nothing) return;
        if (mode_.keep == Keep::gates) expect("gates", *gates_, truth_.gates);
        for (const Output& output : outputs_) expect(output.name, *output.buffer, output.values);
        if (c_.state) expect("d_h", *d_h_, truth_.d_h_first);
        if (c_.state) expect("d_c", *d_c_, truth_.d_c_first);
        const bool batched = mode_.keep != Keep::gates && mode_.engine != Engine::implicit_gemm;
        if (batched && c_.steps > 2 && mode_.chunk > 2) {
            test::expect(convolution_->most_steps > 1, text() + ": computed again step by step");
        }
    }

 private:
    struct Filled {
        DeviceBuffer* buffer;
        Floats values;
    };
    struct Output {
        const char* name;
        DeviceBuffer* buffer;
        Floats values;
    };

    std::string text() const {
        return std::string(test::name_of(truth_.storage)) + " " + c_.text() + ", " + mode_.text();
    }
    void expect(const char* what, const DeviceBuffer& got, const Floats& expected) const {
        test::expect_close(text() + ": " + what, got.read(), expected, tolerance_of(c_, mode_, truth_.storage));
    }
    void expect(const char* what, const Frames<float>& got, const Floats& expected) const {
        Floats values(expected.size());
        test::finish();
        for (std::size_t b = 0; b < c_.batch(); ++b) {
            test::check(cudaMemcpy(values.data() + b * c_.frame(), got.data + static_cast<std::int64_t>(b) * got.batch,
                                   c_.frame() * sizeof(float), cudaMemcpyDeviceToHost),
                        "cudaMemcpy");
        }
        test::expect_close(text() + ": " + what, values, expected, tolerance_of(c_, mode_, truth_.storage));
    }
    Floats last_cell() const {
        Floats last;
        for (std::size_t b = 0; b < c_.batch(); ++b) {
            const auto end = truth_.cell.begin() + static_cast<std::ptrdiff_t>((b + 1) * c_.steps * c_.frame());
            last.insert(last.end(), end - frame_, end);
        }
        return last;
    }

    DeviceBuffer* fresh(Storage storage, std::size_t count) { return &owned_.emplace_back(storage, count); }
    float* floats(const Floats& values) {
        return values.empty() ? nullptr : owned_.emplace_back(Storage::float32, values).floats();
    }
    void* stored(const Floats& values) {
        return values.empty() ? nullptr : owned_.emplace_back(truth_.storage, values).data();
    }
    void* bytes(std::size_t count) { return fresh(Storage::float32, count / sizeof(float) + 1)->data(); }
    float* sums(const char* name, const Floats& expected) {
        if (expected.empty()) return nullptr;
        DeviceBuffer* const buffer = fresh(Storage::float32, expected.size());
        filled_.push_back({buffer, Floats(expected.size(), 0.0F)});
        outputs_.push_back({name, buffer, expected});
        return buffer->floats();
    }

    // (height,width,4F,F), or with the last two the other way round.
    Floats taps_first(bool transposed) const {
        const std::size_t filters = c_.filters(), taps = truth_.weights.size() / (4 * filters * filters);
        Floats ordered(truth_.weights.size());
        for (std::size_t i = 0; i < ordered.size(); ++i) {
            const std::size_t tap = i % taps, f = i / taps % filters, g = i / taps / filters;
            ordered[tap * 4 * filters * filters + (transposed ? f * 4 * filters + g : g * filters + f)] =
                truth_.weights[i];
        }
        return ordered;
    }
    void pack() {
        const Storage storage = truth_.storage;
        void* const forward = bytes(packed_forward_bytes(storage, c_.shape.filters, c_.kernel));
        void* const backward = bytes(packed_backward_bytes(storage, c_.shape.filters, c_.kernel));
        test::check(pack_forward(storage, c_.shape.filters, c_.kernel, stored(taps_first(false)), forward, nullptr),
                    "pack_forward");
        test::check(pack_backward(storage, c_.shape.filters, c_.kernel, stored(taps_first(true)), backward, nullptr),
                    "pack_backward");
        layer_.packed_forward = forward, layer_.packed_backward = backward;
    }

    // (B,T,...) without gaps.
    template <class T>
    Steps<T> sequence(T* data, std::int64_t frame, std::int64_t steps) const {
        return {data, steps * frame, frame};
    }
    // Of one call, (B,count,H,W,channels).
    Steps<void> of_call(const DeviceBuffer& buffer, std::int64_t channels, int count) const {
        const std::int64_t step = c_.shape.pixels() * channels;
        return {buffer.data(), (count + (mode_.gap ? 1 : 0)) * step, step};
    }
    std::size_t call_size(std::size_t channels, int count) const {
        return c_.batch() * static_cast<std::size_t>(count + (mode_.gap ? 1 : 0)) * c_.pixels() * channels;
    }
    // That part of a sequence of 4F channels; NaN in gaps.
    Floats part(const Floats& all, int first, int count) const {
        const std::size_t size = c_.pixels() * 4 * c_.filters(), steps = static_cast<std::size_t>(c_.steps);
        Floats values(call_size(4 * c_.filters(), count), std::numeric_limits<float>::quiet_NaN());
        const std::size_t item = values.size() / c_.batch();
        for (std::size_t b = 0; b < c_.batch(); ++b) {
            const auto from = all.begin() + static_cast<std::ptrdiff_t>((b * steps + first) * size);
            std::copy(from, from + static_cast<std::ptrdiff_t>(count * size), values.begin() + b * item);
        }
        return values;
    }

    void allocate() {
        const Storage s = truth_.storage;
        const std::size_t states = c_.batch() * c_.frame(), all = c_.frames() * c_.frame();
        h_ = fresh(s, all);
        c_now_ = fresh(Storage::float32, states);
        cell_ = fresh(Storage::float32, mode_.keep == Keep::some ? c_.steps / every_ * states : all);
        gates_ = fresh(s, 4 * all);
        d_out_ = stored(truth_.d_out);
        d_h_ = fresh(s, states);
        d_c_ = fresh(Storage::float32, states);
        h_first_ = stored(truth_.h_first), c_first_ = floats(truth_.c_first);
        d_h_last_ = stored(truth_.d_h_last), d_c_last_ = floats(truth_.d_c_last);
        d_.bias = sums("d_bias", truth_.d_bias), d_.peephole = sums("d_peephole", truth_.d_peephole);
        d_.input_scale = sums("d_input_scale", truth_.d_input_scale);
        d_.input_shift = sums("d_input_shift", truth_.d_input_shift);
        d_.hidden_scale = sums("d_hidden_scale", truth_.d_hidden_scale);
        d_.hidden_shift = sums("d_hidden_shift", truth_.d_hidden_shift);
        workspace_ = bytes(std::max(forward_workspace_bytes(layer_, mode_.chunk), backward_workspace_bytes(layer_)));
    }
    Steps<float> kept_cells() const {
        return sequence(cell_->floats(), frame_, mode_.keep == Keep::some ? c_.steps / every_ : c_.steps);
    }
    int count_from(int first) const { return std::min(mode_.chunk, c_.steps - first); }

    SequenceForward forward_call(int first) {
        SequenceForward call;
        call.first = first, call.count = count_from(first);
        DeviceBuffer* const input = fresh(truth_.storage, call_size(4 * c_.filters(), call.count));
        filled_.push_back({input, part(truth_.input, first, call.count)});
        call.input = of_call(*input, 4 * c_.shape.filters, call.count);
        call.h_first = {h_first_, frame_};
        call.c_first = {c_first_, frame_};
        call.h = sequence(h_->data(), frame_, c_.steps);
        if (mode_.keep != Keep::nothing) call.c = kept_cells();
        call.c_every = every_;
        if (mode_.keep == Keep::nothing || mode_.keep == Keep::some) call.c_now = {c_now_->floats(), frame_};
        if (mode_.keep == Keep::gates) call.gates = sequence(gates_->data(), 4 * frame_, c_.steps);
        if (keeps_parts_apart(layer_)) {
            call.hidden = {fresh(truth_.storage, 4 * c_.batch() * c_.frame())->data(), 4 * frame_};
        }
        call.workspace = workspace_;
        return call;
    }

    SequenceBackward backward_call(int first) {
        SequenceBackward call;
        const int count = count_from(first);
        const bool last = first + count == c_.steps;
        call.first = first, call.count = count;
        call.h_first = {h_first_, frame_};
        call.c_first = {c_first_, frame_};
        call.h = sequence(h_->data(), frame_, c_.steps);
        call.c = kept_cells();
        call.c_every = every_;
        call.d_out = sequence(d_out_, frame_, c_.steps);
        const bool fused = mode_.engine == Engine::implicit_gemm;
        call.d_h_after = {last ? d_h_last_ : fused ? nullptr : d_h_->data(), frame_};
        if (fused && !last) call.d_gates_after = at(backward_.back().d_gates, 0, truth_.storage);
        call.d_c_after = {last ? d_c_last_ : d_c_->floats(), frame_};
        call.d_h = {d_h_->data(), frame_};
        call.wants_d_h = first == 0 ? c_.state : !fused;
        call.d_c = {d_c_->floats(), frame_};
        call.d_gates = gradient("d_input", truth_.d_input, first, count);
        if (c_.parts) call.d_hidden = gradient(kDHidden, truth_.d_hidden, first, count);
        call.gradients = d_;
        call.workspace = workspace_;
        if (mode_.keep == Keep::gates) {
            call.gates = sequence(gates_->data(), 4 * frame_, c_.steps);
        } else {
            give_again(call);
        }
        return call;
    }
    Steps<void> gradient(const char* name, const Floats& expected, int first, int count) {
        DeviceBuffer* const buffer = fresh(truth_.storage, call_size(4 * c_.filters(), count));
        // The norm of zeros multiplies the rounding of its gradient by 300, and nobody reads it there.
        const bool exact = c_.state || !c_.parts || truth_.storage == Storage::float32;
        if (exact || name != kDHidden) outputs_.push_back({name, buffer, part(expected, first, count)});
        return of_call(*buffer, 4 * c_.shape.filters, count);
    }
    void give_again(SequenceBackward& call) {
        const std::size_t size = call_size(4 * c_.filters(), call.count);
        DeviceBuffer* const input = mode_.in_place ? outputs_.back().buffer : fresh(truth_.storage, size);
        filled_.push_back({input, part(truth_.input, call.first, call.count)});
        call.input = of_call(*input, 4 * c_.shape.filters, call.count);
        if (keeps_parts_apart(layer_)) {
            call.hidden = of_call(*fresh(truth_.storage, size), 4 * c_.shape.filters, call.count);
        }
        const Steps<void> again =
            of_call(*fresh(Storage::float32, call_size(c_.filters(), call.count)), c_.shape.filters, call.count);
        call.c_again = {static_cast<float*>(again.data), again.batch, again.step};
        call.h_again = {fresh(truth_.storage, c_.batch() * c_.frame())->data(), frame_};
    }

    const SequenceReference& truth_;
    const SequenceCase& c_;
    Mode mode_;
    int every_ = 1;
    std::int64_t frame_ = 0;
    std::deque<DeviceBuffer> owned_;
    std::vector<Filled> filled_;
    std::vector<Output> outputs_;
    test::NaiveConvolution* convolution_ = nullptr;
    SequenceLayer layer_;
    SequenceGradients d_;
    DeviceBuffer *h_ = nullptr, *c_now_ = nullptr, *cell_ = nullptr, *gates_ = nullptr, *d_h_ = nullptr,
                 *d_c_ = nullptr;
    void *d_out_ = nullptr, *h_first_ = nullptr, *d_h_last_ = nullptr, *workspace_ = nullptr;
    float *c_first_ = nullptr, *d_c_last_ = nullptr;
    std::vector<SequenceForward> forward_;
    std::vector<SequenceBackward> backward_;
};

void run(const SequenceReference& truth, const Mode& mode) {
    Trial trial(truth, mode);
    trial.fill();
    test::check(trial.launch(nullptr), mode.text().c_str());
    trial.compare();
}

void run_all(const SequenceCase& c, std::initializer_list<Mode> modes) {
    for (const Storage storage : test::kStorages) {
        SequenceReference truth(c, storage);
        truth.forward();
        truth.backward();
        for (const Mode& mode : modes) run(truth, mode);
    }
}

constexpr SequenceCase with_state(SequenceCase c) {
    c.state = true;
    return c;
}

const SequenceCase kPlain[] = {
    {{1, 1, 1, 1}},
    {{1, 3, 5, 8}, 1},
    with_state({{2, 5, 3, 8}, 1}),
    {{2, 3, 4, 7}, 3, {3, 5}},
    with_state({{2, 4, 3, 8}, 5, {3, 3}}),
};

GPU_TEST(sequence_apart) {
    for (const SequenceCase& c : kPlain) {
        run_all(c, {{Engine::separate, Keep::nothing, 2},
                    {Engine::separate, Keep::gates, 2, true},
                    {Engine::separate, Keep::states, 3},
                    {Engine::separate, Keep::some, 3, true, true}});
    }
}

GPU_TEST(sequence_accumulates) {
    for (const SequenceCase& c : kPlain) {
        run_all(c, {{Engine::accumulate, Keep::nothing, 3, true},
                    {Engine::accumulate, Keep::gates, 5},
                    {Engine::accumulate, Keep::states, 2, true, true},
                    {Engine::accumulate, Keep::some, 3}});
    }
}

GPU_TEST(sequence_implicit_gemm) {
    for (const SequenceCase& c : kPlain) {
        if (!step_gemm_fits(c.shape, c.kernel)) continue;
        run_all(c, {{Engine::implicit_gemm, Keep::nothing, 2},
                    {Engine::implicit_gemm, Keep::gates, 3},
                    {Engine::implicit_gemm, Keep::states, 2, true, true},
                    {Engine::implicit_gemm, Keep::some, 3}});
    }
}

GPU_TEST(sequence_options) {
    SequenceCase c = with_state({{2, 3, 4, 8}, 3});
    c.bias = c.peephole = true;
    SequenceCase pixel = {{2, 3, 3, 5}, 4};
    pixel.peephole = pixel.pixel = true;
    pixel.activation = Activation::relu, pixel.recurrent = Activation::hard_sigmoid;
    for (const SequenceCase& one : {c, pixel}) {
        run_all(one, {{Engine::separate, Keep::gates, 2},
                      {Engine::accumulate, Keep::some, 2, true},
                      {Engine::accumulate, Keep::nothing, 4}});
        if (!step_gemm_fits(one.shape, one.kernel)) continue;
        run_all(one, {{Engine::implicit_gemm, Keep::gates, 2}, {Engine::implicit_gemm, Keep::states, 4}});
    }
}

GPU_TEST(sequence_norms) {
    for (const NormOver over : {NormOver::pixel, NormOver::frame}) {
        for (const bool parts : {false, true}) {
            for (const bool state : {false, true}) {
                SequenceCase c = {{2, 3, 4, 8}, 3};
                c.state = state, c.norm = true, c.parts = parts, c.over = over;
                c.peephole = state;
                run_all(c, {{Engine::separate, Keep::nothing, 2},
                            {Engine::separate, Keep::states, 2, true},
                            {Engine::accumulate, Keep::nothing, 3, true},
                            {Engine::accumulate, Keep::states, 3}});
            }
        }
    }
}

GPU_TEST(sequence_refuses) {
    SequenceCase c = {{1, 3, 3, 8}, 1};
    c.norm = true;
    SequenceReference truth(c, Storage::float32);
    SequenceLayer layer;
    layer.engine = Engine::implicit_gemm;
    layer.norm.input_scale = truth.input_scale.data();
    test::expect(run_forward(layer, {}, nullptr) == cudaErrorNotSupported, "implicit gemm with a norm");
    test::expect(run_forward({}, {}, nullptr) == cudaErrorInvalidValue, "no convolution");
}

// A graph of the kernels gives what the launches give, each time.
GPU_TEST(sequence_captured) {
    SequenceCase c = with_state({{2, 3, 3, 8}, 3});
    c.bias = true;
    SequenceReference truth(c, Storage::bfloat16);
    truth.forward();
    truth.backward();
    for (const Engine engine : {Engine::separate, Engine::accumulate, Engine::implicit_gemm}) {
        Trial trial(truth, {engine, Keep::some, 2});
        cudaStream_t stream = nullptr;
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t replay = nullptr;
        test::check(cudaStreamCreate(&stream), "cudaStreamCreate");
        test::check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
        test::check(trial.launch(stream), "launches in a capture");
        test::check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
        test::check(cudaGraphInstantiate(&replay, graph, 0), "cudaGraphInstantiate");
        for (int i = 0; i < 2; ++i) {
            trial.fill();
            test::check(cudaGraphLaunch(replay, stream), "cudaGraphLaunch");
            test::check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
            trial.compare();
        }
        test::check(cudaGraphExecDestroy(replay), "cudaGraphExecDestroy");
        test::check(cudaGraphDestroy(graph), "cudaGraphDestroy");
        test::check(cudaStreamDestroy(stream), "cudaStreamDestroy");
    }
}

}  // namespace
}  // namespace nowcell::cuda
