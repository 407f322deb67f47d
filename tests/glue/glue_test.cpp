// The library of CUDA cells on a machine that need not have a GPU: that it loads, and its decisions.
#include "cells/cuda/glue/layer.h"
#include "cells/cuda/glue/tensors.h"
#include "cells/cuda_graph.h"
#include "cells/cuda_library.h"
#include "cells/frame_layout.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include "tests/support/catch.h"

namespace {

using namespace nowcell;
using namespace nowcell::cuda;

ConvLstmArguments call(at::ScalarType type = at::kFloat, std::int64_t kernel = 3) {
    ConvLstmArguments a{at::zeros({2, 3, 4, 5, 6}, type)};
    a.weights.input = at::zeros({32, 4, 3, 3}, type);
    a.weights.hidden = at::zeros({32, 8, kernel, kernel}, type);
    return a;
}

std::string why_not(const ConvLstmArguments& a) {
    const char* const reason = obstacle(a);
    return reason == nullptr ? "" : reason;
}

CudnnOffer offer(int algorithm, cudnnMathType_t math, bool deterministic, std::size_t bytes = 0) {
    return {{algorithm, math, bytes}, true, deterministic};
}

TEST_CASE("torch's CUDA hooks are the real ones, and the operators are registered for CUDA", "[glue]") {
    REQUIRE(load_cuda_library() == "");
    CHECK(missing_cuda_kernels() == "");
    CHECK(at::detail::getCUDAHooks().compiledWithCuDNN());
    CHECK(at::detail::getCUDAHooks().hasCUDART());
    for (const char* const name : {"nowcell::conv_lstm_forward", "nowcell::conv_lstm_backward"}) {
        const auto found = c10::Dispatcher::singleton().findSchema({name, ""});
        REQUIRE(found.has_value());
        CHECK(found->hasKernelForDispatchKey(c10::DispatchKey::CUDA));
    }
}

TEST_CASE("torch has loaded a cuDNN with all functions that are called", "[glue]") {
    CHECK(cudnn_library().missing == "");
}

TEST_CASE("Calls that the CUDA kernels cannot compute are named", "[glue]") {
    for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16}) CHECK(why_not(call(type)) == "");
    CHECK(why_not(call(at::kDouble)) == "not float32, float16 or bfloat16");
    CHECK(why_not(call(at::kFloat, 4)) == "a recurrent kernel with an even side");
    ConvLstmArguments a = call();
    a.algorithm = Algorithm::reference;
    CHECK(why_not(a) == "asked for");
    a = call();
    a.noise.hidden_dropout = at::ones({2, 4, 8, 5, 6});
    CHECK(why_not(a) == "dropout inside the cell");
    a = call();
    a.noise.keep_c = at::ones({2, 3, 1, 1, 1});
    CHECK(why_not(a) == "zoneout or a mask");
    a = call();
    a.x = at::zeros({2, 3, 4, 5});
    CHECK(why_not(a) == "frames without two axes");
    a = call();
    a.x = at::zeros({2, 0, 4, 5, 6});
    CHECK(why_not(a) == "an empty sequence");
    a.x = at::zeros({1, 1, 1, 1, 1}).expand({1, 1, 4, 1 << 14, 1 << 13});
    CHECK(why_not(a) == "frames of 2^31 numbers");
    a.x = at::zeros({1, 1, 1, 1, 1}).expand({1 << 8, 1 << 8, 4, 1 << 8, 1 << 8});
    CHECK(why_not(a) == "frames of 2^31 numbers");
}

TEST_CASE("An algorithm of the other device acts as auto, and says so", "[glue]") {
    CHECK(engine_for(Algorithm::automatic, true, false).algorithm == Algorithm::cudnn);
    CHECK(engine_for(Algorithm::automatic, true, false).reason == "");
    CHECK(engine_for(Algorithm::cudnn_separate, true, true).algorithm == Algorithm::cudnn_separate);
    CHECK(engine_for(Algorithm::implicit_gemm, true, false).algorithm == Algorithm::implicit_gemm);
    CHECK(engine_for(Algorithm::implicit_gemm, true, true).reason == "implicit-gemm has no norm of the gates");
    CHECK(engine_for(Algorithm::implicit_gemm, false, false).algorithm == Algorithm::cudnn);
    CHECK(engine_for(Algorithm::winograd_fast, true, false).algorithm == Algorithm::cudnn);
    CHECK(engine_for(Algorithm::winograd_fast, true, false).reason == "winograd-fast is for a CPU");
}

TEST_CASE("Of cuDNN's algorithms only those are taken that torch's settings allow", "[glue]") {
    std::vector<CudnnOffer> offers = {offer(0, CUDNN_DEFAULT_MATH, true), offer(1, CUDNN_FMA_MATH, false),
                                      offer(2, CUDNN_FMA_MATH, true), offer(3, CUDNN_TENSOR_OP_MATH, true),
                                      offer(4, CUDNN_FMA_MATH, true, kMostWorkspaceBytes + 1)};
    offers.push_back({{5, CUDNN_FMA_MATH, 0}, false, true});
    const auto numbers = [&](Storage storage, bool tf32, bool deterministic) {
        CudnnSize size;
        size.storage = storage, size.tf32 = tf32, size.deterministic = deterministic;
        std::vector<int> taken;
        for (const CudnnChoice& choice : allowed(size, offers)) {
            taken.push_back(choice.algorithm);
            if (storage == Storage::float32 && !tf32) CHECK(choice.math == CUDNN_FMA_MATH);
        }
        return taken;
    };
    CHECK((numbers(Storage::float32, true, false) == std::vector{0, 1, 2, 3}));
    CHECK((numbers(Storage::float32, true, true) == std::vector{0, 2, 3}));
    CHECK((numbers(Storage::float32, false, false) == std::vector{0, 1, 2}));
    CHECK((numbers(Storage::float32, false, true) == std::vector{0, 2}));
    CHECK((numbers(Storage::bfloat16, false, true) == std::vector{0, 2, 3}));
}

TEST_CASE("Sequences by time have no gaps and the right numbers", "[glue]") {
    const auto check = [](const torch::Tensor& sequence) {
        const torch::Tensor turned = by_time(sequence);
        CHECK(at::equal(turned, sequence.transpose(0, 1)));
        CHECK(lies_channels_last(turned));
        const std::int64_t frame = sequence[0][0].numel();
        if (sequence.size(0) > 1) CHECK(turned.stride(1) == frame);
        if (sequence.size(1) > 1) CHECK(turned.stride(0) == sequence.size(0) * frame);
        CHECK(turned.flatten(0, 1).data_ptr() == turned.data_ptr());
        return turned.data_ptr() == sequence.data_ptr();
    };
    for (const std::int64_t batch : {1, 2}) {
        for (const std::int64_t steps : {1, 3}) {
            for (const std::int64_t channels : {1, 4}) {
                const torch::Tensor planes = at::rand({batch, steps, channels, 5, 6});
                check(planes);
                const torch::Tensor last = to_channels_last(planes);
                CHECK(check(last) == (batch == 1));
                check(at::rand({batch, 2 * steps, channels, 5, 6}).slice(1, 0, 2 * steps, 2));
                check(planes.expand({batch, steps, channels, 5, 6})[0][0].expand({batch, steps, channels, 5, 6}));
            }
        }
    }
    check(at::rand({2, 3, 4, 1, 1}));
}

TEST_CASE("Frames and steps keep the strides of tensors", "[glue]") {
    const torch::Tensor sequence = empty_frames({2, 3, 8, 5, 6}, at::kFloat, true);
    const Steps<void> steps = steps_of(sequence);
    CHECK(steps.batch == 3 * 240);
    CHECK(steps.step == 240);
    CHECK(frames_of(sequence[0]).batch == 240);
    const Frames<void> second = nowcell::cuda::at(steps, 1, Storage::float32);
    CHECK(second.data == sequence.select(1, 1).data_ptr());
    CHECK_FALSE(steps_of(at::empty({0})));
    CHECK_FALSE(steps_of({}));
    CHECK(floats_of({}) == nullptr);
}

TEST_CASE("The switch of CUDA graphs is off, and turns", "[glue]") {
    CHECK_FALSE(cuda_graphs_used());
    use_cuda_graphs(true);
    CHECK(cuda_graphs_used());
    use_cuda_graphs(false);
    CHECK_FALSE(cuda_graphs_used());
}

}  // namespace
