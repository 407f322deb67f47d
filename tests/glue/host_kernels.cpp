// The kernels' functions as plain loops on the host, so that the passes around them can run on CPU tensors. They stand
// in for those of libnowcell_cells_cuda.so, and the current stream for that of a GPU.
#include "cells/cuda/norm.h"
#include "cells/cuda/scalar.h"
#include "cells/cuda/step_gemm.h"
#include "cells/cuda/sums.h"

#include <c10/cuda/CUDAStream.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cmath>
#include <vector>

namespace c10::cuda {

CUDAStream getCurrentCUDAStream(DeviceIndex) {
    return CUDAStream(CUDAStream::UNCHECKED, Stream(Stream::DEFAULT, Device(DeviceType::CUDA, 0)));
}
cudaStream_t CUDAStream::stream() const { return nullptr; }

}  // namespace c10::cuda

namespace nowcell::cuda {
namespace {

// One number of frames in a storage.
struct Numbers {
    Storage storage;
    const void* data;

    float operator[](std::int64_t at) const {
        if (data == nullptr) return 0.0F;
        switch (storage) {
            case Storage::float32: return static_cast<const float*>(data)[at];
            case Storage::float16: return static_cast<const c10::Half*>(data)[at];
            case Storage::bfloat16: return static_cast<const c10::BFloat16*>(data)[at];
        }
        return 0.0F;
    }
    void set(std::int64_t at, float x) const {
        void* const to = const_cast<void*>(data);
        switch (storage) {
            case Storage::float32: static_cast<float*>(to)[at] = x; break;
            case Storage::float16: static_cast<c10::Half*>(to)[at] = x; break;
            case Storage::bfloat16: static_cast<c10::BFloat16*>(to)[at] = x; break;
        }
    }
};

LstmPeephole<float> peephole_at(const GateRules& rules, const StepShape& shape, std::int64_t pixel, std::int64_t f) {
    if (rules.peephole == nullptr) return {};
    const std::int64_t plane = (rules.pixel_peephole ? shape.pixels() : 1) * shape.filters;
    const float* const p = rules.peephole + (rules.pixel_peephole ? pixel * shape.filters : 0) + f;
    return {p[0], p[plane], p[2 * plane]};
}

// body(item, pixel, channel, place in F, place of the first gate in 4F)
template <class Body>
void for_each_unit(const StepShape& shape, const Body& body) {
    for (std::int64_t b = 0; b < shape.batch; ++b)
        for (std::int64_t p = 0; p < shape.pixels(); ++p)
            for (std::int64_t f = 0; f < shape.filters; ++f)
                body(b, p, f, p * shape.filters + f, p * 4 * shape.filters + f);
}

struct Row {
    double mean = 0.0, deviation = 0.0;
};
Row moments(const std::vector<double>& x) {
    Row row;
    for (const double v : x) row.mean += v;
    row.mean /= static_cast<double>(x.size());
    double square = 0.0;
    for (const double v : x) square += (v - row.mean) * (v - row.mean);
    row.deviation = 1.0 / std::sqrt(square / static_cast<double>(x.size()) + kNormEpsilon);
    return row;
}

// body(item, first number of the row in the frame, size)
template <class Body>
void for_each_row(const StepShape& shape, NormOver over, const Body& body) {
    const std::int64_t size = (over == NormOver::pixel ? 1 : shape.pixels()) * 4 * shape.filters;
    for (std::int64_t b = 0; b < shape.batch; ++b)
        for (std::int64_t first = 0; first < shape.pixels() * 4 * shape.filters; first += size) body(b, first, size);
}

}  // namespace

cudaError_t gates_forward(const GatesForward& a, cudaStream_t) {
    const AnyFunctions<Scalar> functions{a.rules.recurrent_activation, a.rules.activation};
    const Numbers input{a.storage, a.input.data}, hidden{a.storage, a.hidden.data}, h{a.storage, a.h.data};
    const Numbers gates{a.storage, a.gates.data};
    for_each_unit(a.shape, [&](auto b, auto p, auto f, auto at, auto gate) {
        const std::int64_t filters = a.shape.filters;
        const auto before = [&](std::int64_t g) {
            const std::int64_t from = gate + g * filters;
            return input[b * a.input.batch + from] + hidden[b * a.hidden.batch + from] +
                   (a.bias == nullptr ? 0.0F : a.bias[g * filters + f]);
        };
        const auto unit =
            lstm_forward(functions, LstmGates<float>{before(0), before(1), before(2), before(3)},
                         a.c_old ? a.c_old.data[b * a.c_old.batch + at] : 0.0F, peephole_at(a.rules, a.shape, p, f));
        a.c.data[b * a.c.batch + at] = unit.c;
        h.set(b * a.h.batch + at, unit.h);
        if (!a.gates) return;
        const float values[] = {unit.gates.i, unit.gates.f, unit.gates.g, unit.gates.o};
        for (std::int64_t g = 0; g < 4; ++g) gates.set(b * a.gates.batch + gate + g * filters, values[g]);
    });
    return cudaSuccess;
}

cudaError_t gates_backward(const GatesBackward& a, cudaStream_t) {
    const AnyFunctions<Scalar> functions{a.rules.recurrent_activation, a.rules.activation};
    const Numbers gates{a.storage, a.gates.data}, d_out{a.storage, a.d_out.data}, d_h{a.storage, a.d_h.data};
    const Numbers d_gates{a.storage, a.d_gates.data};
    for_each_unit(a.shape, [&](auto b, auto p, auto f, auto at, auto gate) {
        const std::int64_t filters = a.shape.filters;
        const auto kept = [&](std::int64_t g) { return gates[b * a.gates.batch + gate + g * filters]; };
        const auto d =
            lstm_backward(functions, LstmGates<float>{kept(0), kept(1), kept(2), kept(3)},
                          a.c_old ? a.c_old.data[b * a.c_old.batch + at] : 0.0F, a.c.data[b * a.c.batch + at],
                          d_out[b * a.d_out.batch + at] + d_h[b * a.d_h.batch + at],
                          a.d_c ? a.d_c.data[b * a.d_c.batch + at] : 0.0F, peephole_at(a.rules, a.shape, p, f));
        a.d_c_old.data[b * a.d_c_old.batch + at] = d.c_old;
        const float values[] = {d.gates.i, d.gates.f, d.gates.g, d.gates.o};
        for (std::int64_t g = 0; g < 4; ++g) d_gates.set(b * a.d_gates.batch + gate + g * filters, values[g]);
    });
    return cudaSuccess;
}

std::size_t norm_workspace_bytes(const StepShape&, NormOver) { return 16; }

cudaError_t norm_forward(const NormForward& a, cudaStream_t) {
    const Numbers x{a.storage, a.x.data}, addend{a.storage, a.addend.data}, y{a.storage, a.y.data};
    for_each_row(a.shape, a.over, [&](auto b, auto first, auto size) {
        std::vector<double> row;
        for (std::int64_t j = first; j < first + size; ++j)
            row.push_back(double{x[b * a.x.batch + j]} + double{addend[b * a.addend.batch + j]});
        const Row m = moments(row);
        for (std::int64_t j = 0; j < size; ++j)
            y.set(b * a.y.batch + first + j,
                  static_cast<float>((row[static_cast<std::size_t>(j)] - m.mean) * m.deviation * a.scale[j] +
                                     a.shift[j]));
    });
    return cudaSuccess;
}

cudaError_t norm_backward(const NormBackward& a, cudaStream_t) {
    const Numbers x{a.storage, a.x.data}, addend{a.storage, a.addend.data}, d_y{a.storage, a.d_y.data};
    const Numbers d_x{a.storage, a.d_x.data};
    for_each_row(a.shape, a.over, [&](auto b, auto first, auto size) {
        std::vector<double> row;
        for (std::int64_t j = first; j < first + size; ++j)
            row.push_back(double{x[b * a.x.batch + j]} + double{addend[b * a.addend.batch + j]});
        const Row m = moments(row);
        double mean = 0.0, with_x = 0.0;
        for (std::int64_t j = 0; j < size; ++j) {
            const float d = d_y[b * a.d_y.batch + first + j];
            double& v = row[static_cast<std::size_t>(j)];
            v = (v - m.mean) * m.deviation;
            if (a.d_scale != nullptr) a.d_scale[j] += static_cast<float>(d * v), a.d_shift[j] += d;
            mean += d * a.scale[j], with_x += d * a.scale[j] * v;
        }
        const auto n = static_cast<double>(size);
        for (std::int64_t j = 0; j < size; ++j) {
            const double d = d_y[b * a.d_y.batch + first + j] * a.scale[j];
            d_x.set(b * a.d_x.batch + first + j,
                    static_cast<float>((d - mean / n - row[static_cast<std::size_t>(j)] * with_x / n) * m.deviation));
        }
    });
    return cudaSuccess;
}

// In the input's place, which nobody reads again in these tests.
cudaError_t norm_gates_forward(const NormGatesForward& a, cudaStream_t stream) {
    GatesForward gates = a.gates;
    std::vector<float> sum(
        static_cast<std::size_t>(gates.shape.batch * gates.shape.pixels() * 4 * gates.shape.filters));
    const std::int64_t frame = 4 * gates.shape.pixels() * gates.shape.filters;
    const Numbers input{gates.storage, gates.input.data}, hidden{gates.storage, gates.hidden.data};
    for (std::int64_t b = 0; b < gates.shape.batch; ++b)
        for (std::int64_t j = 0; j < frame; ++j)
            sum[static_cast<std::size_t>(b * frame + j)] =
                hidden[b * gates.hidden.batch + j] +
                (a.part == NormedPart::sum ? input[b * gates.input.batch + j] : 0.0F);
    NormForward norm;
    norm.shape = gates.shape, norm.over = NormOver::frame;
    norm.x = {sum.data(), frame}, norm.y = {sum.data(), frame};
    norm.scale = a.scale, norm.shift = a.shift;
    norm_forward(norm, stream);
    for (std::int64_t b = 0; b < gates.shape.batch; ++b)
        for (std::int64_t j = 0; j < frame; ++j) {
            const float other = a.part == NormedPart::sum ? 0.0F : input[b * gates.input.batch + j];
            input.set(b * gates.input.batch + j, sum[static_cast<std::size_t>(b * frame + j)] + other);
        }
    gates.hidden = {};
    return gates_forward(gates, stream);
}

std::size_t column_sums_workspace_bytes(int) { return 16; }
cudaError_t column_sums(const ColumnSums& a, cudaStream_t) {
    const Numbers values{a.storage, a.values};
    for (std::int64_t n = 0; n < a.frames; ++n)
        for (std::int64_t j = 0; j < a.pixels * a.columns; ++j) a.sums[j % a.columns] += values[n * a.stride + j];
    return cudaSuccess;
}

std::size_t peephole_sums_workspace_bytes(int) { return 16; }
cudaError_t peephole_sums(const PeepholeSums& a, cudaStream_t) {
    const Numbers d{a.storage, a.d_gates.data};
    const std::int64_t filters = a.shape.filters, plane = (a.pixel ? a.shape.pixels() : 1) * filters;
    for_each_unit(a.shape, [&](auto b, auto, auto f, auto at, auto gate) {
        const float old = a.c_old ? a.c_old.data[b * a.c_old.batch + at] : 0.0F;
        float* const sums = a.sums + (a.pixel ? at : f);
        const std::int64_t from = b * a.d_gates.batch + gate;
        sums[0] += d[from] * old, sums[plane] += d[from + filters] * old;
        sums[2 * plane] += d[from + 3 * filters] * a.c.data[b * a.c.batch + at];
    });
    return cudaSuccess;
}

// Not here: implicit-gemm gives way to the recurrent convolution by LibTorch.
bool step_gemm_fits(const StepShape&, const KernelSize&) { return false; }
std::size_t packed_forward_bytes(Storage, int, const KernelSize&) { return 0; }
std::size_t packed_backward_bytes(Storage, int, const KernelSize&) { return 0; }
cudaError_t pack_forward(Storage, int, const KernelSize&, const void*, void*, cudaStream_t) {
    return cudaErrorNotSupported;
}
cudaError_t pack_backward(Storage, int, const KernelSize&, const void*, void*, cudaStream_t) {
    return cudaErrorNotSupported;
}
cudaError_t step_forward(const StepForward&, cudaStream_t) { return cudaErrorNotSupported; }
cudaError_t step_backward(const StepBackward&, cudaStream_t) { return cudaErrorNotSupported; }

}  // namespace nowcell::cuda
