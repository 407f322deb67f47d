#include "data/opencv_bridge.h"

#include "src/error.h"

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace nowcell {
namespace {

struct Type {
    int depth;
    torch::ScalarType scalar;
};

constexpr Type kTypes[] = {{CV_8U, torch::kUInt8},    {CV_8S, torch::kInt8},    {CV_16U, torch::kUInt16},
                           {CV_16S, torch::kInt16},   {CV_32S, torch::kInt32},  {CV_32F, torch::kFloat32},
                           {CV_64F, torch::kFloat64}, {CV_16F, torch::kFloat16}};

[[noreturn]] void fail(const std::string& what, const std::string& hint = "") {
    throw Error(ExitCode::usage, what, "", hint);
}

torch::ScalarType scalar_of(int depth) {
    for (const Type& type : kTypes) {
        if (type.depth == depth) return type.scalar;
    }
    fail(fmt::format("no tensor type for a matrix of depth {}", depth));
}

int depth_of(torch::ScalarType scalar) {
    for (const Type& type : kTypes) {
        if (type.scalar == scalar) return type.depth;
    }
    fail(fmt::format("no matrix type for a tensor of {}", c10::toString(scalar)),
         "convert it first: tensor.to(torch::kFloat32)");
}

void check_colours(int channels, Colours colours) {
    if (colours == Colours::rgb && channels != 3 && channels != 4) {
        fail(fmt::format("colours need 3 or 4 channels, got {}", channels), "Colours::bgr leaves channels as they are");
    }
}

// A copy with the first and third channel exchanged. As whole numbers, for OpenCV moves no float16.
cv::Mat colours_swapped(const cv::Mat& matrix) {
    const int depth = matrix.elemSize1() == 1   ? CV_8U
                      : matrix.elemSize1() == 2 ? CV_16U
                      : matrix.elemSize1() == 4 ? CV_32S
                                                : CV_64F;
    cv::Mat out(matrix.dims, matrix.size.p, matrix.type());
    const int type = CV_MAKETYPE(depth, matrix.channels());
    const cv::Mat from(matrix.dims, matrix.size.p, type, matrix.data, matrix.step.p);
    cv::Mat to(out.dims, out.size.p, type, out.data, out.step.p);
    const int pairs[] = {0, 2, 1, 1, 2, 0, 3, 3};
    cv::mixChannels(&from, 1, &to, 1, pairs, static_cast<std::size_t>(matrix.channels()));
    return out;
}

std::vector<std::int64_t> sizes_of(const cv::Mat& matrix) {
    std::vector<std::int64_t> sizes(matrix.size.p, matrix.size.p + matrix.dims);
    if (sizes.empty()) sizes = {0, 0};
    if (matrix.channels() > 1) sizes.push_back(matrix.channels());
    return sizes;
}

// Of a matrix that has values; in values, where OpenCV counts bytes.
std::vector<std::int64_t> strides_of(const cv::Mat& matrix) {
    std::vector<std::int64_t> strides;
    for (int i = 0; i < matrix.dims; ++i) {
        strides.push_back(static_cast<std::int64_t>(matrix.step.p[i] / matrix.elemSize1()));
    }
    if (matrix.channels() > 1) strides.push_back(1);
    return strides;
}

// Frees nothing: it lets go of the tensor whose memory a matrix uses.
class TensorKeeper : public cv::MatAllocator {
 public:
    cv::UMatData* allocate(int dims, const int* sizes, int type, void* data, std::size_t* step, cv::AccessFlag access,
                           cv::UMatUsageFlags usage) const override {
        return cv::Mat::getStdAllocator()->allocate(dims, sizes, type, data, step, access, usage);
    }

    bool allocate(cv::UMatData* data, cv::AccessFlag access, cv::UMatUsageFlags usage) const override {
        return cv::Mat::getStdAllocator()->allocate(data, access, usage);
    }

    void deallocate(cv::UMatData* data) const override {
        if (data == nullptr || data->refcount > 0 || data->urefcount > 0) return;
        delete static_cast<torch::Tensor*>(data->userdata);
        delete data;
    }

    // Makes `matrix`, which lies in the memory of `tensor`, its owner.
    void give(cv::Mat& matrix, const torch::Tensor& tensor) const {
        auto held = std::make_unique<torch::Tensor>(tensor);
        auto data = std::make_unique<cv::UMatData>(this);
        data->data = data->origdata = matrix.data;
        data->size = matrix.step.p[0] * static_cast<std::size_t>(matrix.rows);
        data->flags = cv::UMatData::USER_ALLOCATED;
        data->userdata = held.release();
        matrix.u = data.release();
        matrix.addref();
    }
};

// Matrices may outlive static objects, so this one is never destroyed.
const TensorKeeper& keeper() {
    static const auto* const keeper = new TensorKeeper;
    return *keeper;
}

// Why a tensor (H,W,C) cannot be a matrix as it lies in memory; empty: it can.
std::string obstacle(const torch::Tensor& tensor) {
    const std::int64_t width = tensor.size(1), channels = tensor.size(2);
    if (tensor.is_neg()) return "its values are negated lazily";
    if (channels > 1 && tensor.stride(2) != 1) return "the channels of a pixel do not follow each other";
    if (width > 1 && tensor.stride(1) != channels) return "the pixels of a row do not follow each other";
    if (tensor.size(0) > 1 && tensor.stride(0) < width * channels) return "its rows overlap";
    return "";
}

// A contiguous copy. Through OpenCV's own memory, so that the matrix is like any other.
cv::Mat copied(const torch::Tensor& tensor, int type) {
    cv::Mat out(static_cast<int>(tensor.size(0)), static_cast<int>(tensor.size(1)), type);
    at::from_blob(out.data, tensor.sizes(), tensor.options()).copy_(tensor);
    return out;
}

cv::Mat shared(const torch::Tensor& tensor, int type) {
    const std::size_t row = static_cast<std::size_t>(tensor.size(1) * tensor.size(2)) * tensor.element_size();
    const std::size_t step =
        tensor.size(0) > 1 ? static_cast<std::size_t>(tensor.stride(0)) * tensor.element_size() : row;
    cv::Mat out(static_cast<int>(tensor.size(0)), static_cast<int>(tensor.size(1)), type, tensor.data_ptr(), step);
    keeper().give(out, tensor);
    return out;
}

// (H,W,C) of a tensor that a matrix can hold.
torch::Tensor checked(const torch::Tensor& tensor) {
    if (!tensor.defined()) fail("no tensor is given");
    if (!tensor.is_cpu() || tensor.layout() != torch::kStrided) {
        fail(fmt::format("a matrix needs a dense tensor on the CPU, got {} on {}", c10::str(tensor.layout()),
                         tensor.device().str()),
             "tensor.cpu(), tensor.to_dense()");
    }
    if (tensor.dim() != 2 && tensor.dim() != 3) {
        fail(fmt::format("a matrix needs a tensor (H,W) or (H,W,C), got [{}]", fmt::join(tensor.sizes(), ",")));
    }
    const torch::Tensor image = tensor.detach().dim() == 2 ? tensor.detach().unsqueeze(2) : tensor.detach();
    const std::int64_t most = std::numeric_limits<int>::max();
    if (image.size(0) > most || image.size(1) > most || image.size(2) < 1 || image.size(2) > CV_CN_MAX) {
        fail(fmt::format("a matrix holds up to {0} x {0} pixels of 1 to {1} channels, got [{2}]", most, CV_CN_MAX,
                         fmt::join(tensor.sizes(), ",")));
    }
    return image;
}

torch::Tensor channels_first(const torch::Tensor& image) {
    return image.dim() == 2 ? image.unsqueeze(0) : image.permute({2, 0, 1});
}

}  // namespace

torch::Tensor tensor_of(const cv::Mat& matrix, Transfer transfer, Colours colours) {
    const auto options = torch::TensorOptions().dtype(scalar_of(matrix.depth()));
    check_colours(matrix.channels(), colours);
    if (matrix.empty()) return at::empty(sizes_of(matrix), options);
    if (colours == Colours::rgb) {
        if (transfer == Transfer::share) fail("a matrix cannot be shared as RGB", "Transfer::copy");
        return tensor_of(colours_swapped(matrix));
    }
    const bool aligned = reinterpret_cast<std::uintptr_t>(matrix.data) % matrix.elemSize1() == 0;
    if (transfer == Transfer::share && !aligned) fail("a matrix cannot be shared: its memory is not aligned");
    const bool owned = matrix.u != nullptr;
    const bool copies = transfer == Transfer::copy || !aligned || (transfer == Transfer::share_or_copy && !owned);
    const cv::Mat held = copies ? matrix.clone() : matrix;
    return at::from_blob(
        held.data, sizes_of(held), strides_of(held), [held](void*) {}, options);
}

torch::Tensor frame_of(const cv::Mat& matrix, Transfer transfer, Colours colours) {
    if (matrix.dims > 2) fail(fmt::format("a frame needs a matrix of two dimensions, got {}", matrix.dims));
    return channels_first(tensor_of(matrix, transfer, colours));
}

cv::Mat matrix_of(const torch::Tensor& tensor, Transfer transfer, Colours colours) {
    const torch::Tensor image = checked(tensor);
    const auto channels = static_cast<int>(image.size(2));
    const int type = CV_MAKETYPE(depth_of(image.scalar_type()), channels);
    check_colours(channels, colours);
    if (image.numel() == 0) return cv::Mat(static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), type);
    std::string why = obstacle(image);
    if (colours == Colours::rgb) why = "its colours are RGB";
    if (transfer == Transfer::share && !why.empty()) fail("a tensor cannot be shared: " + why, "Transfer::copy");
    if (colours == Colours::rgb) return colours_swapped(matrix_of(tensor));
    return transfer == Transfer::copy || !why.empty() ? copied(image, type) : shared(image, type);
}

cv::Mat matrix_of_frame(const torch::Tensor& frame, Transfer transfer, Colours colours) {
    if (frame.dim() != 3) fail(fmt::format("a frame is (C,H,W), got [{}]", fmt::join(frame.sizes(), ",")));
    return matrix_of(frame.permute({1, 2, 0}), transfer, colours);
}

bool shares(const cv::Mat& matrix, const torch::Tensor& tensor) {
    if (matrix.empty() || tensor.numel() == 0) return false;
    const auto* first = static_cast<const unsigned char*>(tensor.const_data_ptr());
    return first >= matrix.datastart && first < matrix.dataend;
}

}  // namespace nowcell
