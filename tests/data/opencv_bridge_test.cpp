#include "data/opencv_bridge.h"

#include <ATen/ATen.h>

#include <opencv2/core.hpp>

#include "src/error.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <cstring>
#include <random>
#include <string>
#include <vector>

using nowcell::Colours;
using nowcell::frame_of;
using nowcell::matrix_of;
using nowcell::matrix_of_frame;
using nowcell::shares;
using nowcell::tensor_of;
using nowcell::Transfer;

namespace {

constexpr int kDepths[] = {CV_8U, CV_8S, CV_16U, CV_16S, CV_32S, CV_32F, CV_64F, CV_16F};
constexpr torch::ScalarType kScalars[] = {torch::kUInt8, torch::kInt8,    torch::kUInt16,  torch::kInt16,
                                          torch::kInt32, torch::kFloat32, torch::kFloat64, torch::kFloat16};

class Dice {
 public:
    explicit Dice(unsigned long long seed) : engine_(seed) {}
    int roll(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }

    // A matrix of random bytes; finite numbers only, so that values can be compared.
    cv::Mat matrix(int rows, int columns, int type) {
        cv::Mat bytes(rows, columns * static_cast<int>(CV_ELEM_SIZE(type)), CV_8U);
        for (unsigned char& byte : cv::Mat_<unsigned char>(bytes)) byte = static_cast<unsigned char>(roll(0, 59));
        return cv::Mat(rows, columns, type, bytes.data, bytes.step).clone();
    }

    int channels() {
        const int few = roll(1, 5);
        return roll(0, 9) == 0 ? CV_CN_MAX - roll(0, 3) : few;
    }

    int depth_index() { return roll(0, 7); }

 private:
    std::mt19937_64 engine_;
};

// The bytes of a value, read through OpenCV and through the tensor's own strides.
const unsigned char* at(const cv::Mat& m, int y, int x, int c) {
    return m.ptr(y, x) + static_cast<std::size_t>(c) * m.elemSize1();
}

const unsigned char* at(const torch::Tensor& t, int y, int x, int c) {
    const std::int64_t offset = y * t.stride(0) + x * t.stride(1) + (t.dim() == 3 ? c * t.stride(2) : 0);
    return static_cast<const unsigned char*>(t.const_data_ptr()) + offset * static_cast<std::int64_t>(t.element_size());
}

bool same(const cv::Mat& m, const torch::Tensor& t) {
    const std::int64_t channels = t.dim() == 3 ? t.size(2) : 1;
    if (m.rows != t.size(0) || m.cols != t.size(1) || m.channels() != channels) return false;
    if (m.elemSize1() != static_cast<std::size_t>(t.element_size())) return false;
    for (int y = 0; y < m.rows; ++y) {
        for (int x = 0; x < m.cols; ++x) {
            for (int c = 0; c < m.channels(); ++c) {
                if (std::memcmp(at(m, y, x, c), at(t, y, x, c), m.elemSize1()) != 0) return false;
            }
        }
    }
    return true;
}

template <typename Call>
std::string refusal(Call call) {
    try {
        call();
    } catch (const nowcell::Error& error) {
        CHECK(error.code() == nowcell::ExitCode::usage);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a matrix of any depth, channels and step becomes a tensor of its memory") {
    Dice dice(test_seed());
    for (int trial = 0; trial < 300; ++trial) {
        const int k = dice.depth_index(), channels = dice.channels();
        const cv::Mat whole = dice.matrix(dice.roll(1, 7), dice.roll(1, 7), CV_MAKETYPE(kDepths[k], channels));
        const int x = dice.roll(0, whole.cols - 1), y = dice.roll(0, whole.rows - 1);
        const cv::Mat part = whole(cv::Rect(x, y, dice.roll(1, whole.cols - x), dice.roll(1, whole.rows - y)));
        INFO("seed " << test_seed() << ", depth " << k << ", " << channels << " channels, " << part.size());
        torch::Tensor tensor = tensor_of(part);
        CHECK(tensor.scalar_type() == kScalars[k]);
        CHECK(tensor.dim() == (channels == 1 ? 2 : 3));
        CHECK(shares(part, tensor));
        CHECK(same(part, tensor));
        CHECK((part.isContinuous() ? tensor.is_contiguous() : true));
        tensor[part.rows - 1][part.cols - 1].fill_(7);
        CHECK(same(part, tensor));
        const torch::Tensor own = tensor_of(part, Transfer::copy);
        CHECK_FALSE(shares(part, own));
        CHECK(own.is_contiguous());
        CHECK(same(part, own));
    }
}

TEST_CASE("a tensor of any type, shape and strides becomes a matrix, without a copy where it can") {
    Dice dice(test_seed() + 1);
    int shared = 0, copied = 0;
    for (int trial = 0; trial < 400; ++trial) {
        const int k = dice.depth_index();
        const int channels = dice.channels();
        const torch::Tensor bytes = torch::randint(
            0, 60,
            {dice.roll(1, 6), dice.roll(1, 6), channels, static_cast<std::int64_t>(c10::elementSize(kScalars[k]))},
            torch::kUInt8);
        torch::Tensor tensor = bytes.view(kScalars[k]).squeeze(3);
        switch (dice.roll(0, 5)) {
            case 0: tensor = tensor.slice(0, 0, tensor.size(0), 2); break;  // every second row: a step
            case 1: tensor = tensor.slice(1, tensor.size(1) / 2); break;    // right half: a submatrix
            case 2: tensor = tensor.transpose(0, 1); break;
            case 3: tensor = tensor.slice(2, 0, (channels + 1) / 2); break;
            case 4: tensor = tensor.slice(0, 0, 1).expand({3, tensor.size(1), channels}); break;
            default: break;
        }
        if (tensor.size(2) == 1 && dice.roll(0, 1) == 0) tensor = tensor.select(2, 0);
        INFO("seed " << test_seed() << ", " << tensor.sizes() << " strides " << tensor.strides());
        const cv::Mat matrix = matrix_of(tensor);
        CHECK(matrix.depth() == kDepths[k]);
        CHECK(same(matrix, tensor));
        const cv::Mat own = matrix_of(tensor, Transfer::copy);
        CHECK(same(own, tensor));
        CHECK_FALSE(shares(own, tensor));
        // Sharing is what the layout allows, no more and no less.
        const bool fits = refusal([&] { matrix_of(tensor, Transfer::share); }).empty();
        CHECK(shares(matrix, tensor) == fits);
        if (tensor.is_contiguous()) CHECK(fits);
        ++(fits ? shared : copied);
        // And back again, in the same memory where it was shared.
        CHECK(same(matrix, tensor_of(matrix)));
        CHECK(shares(matrix, tensor_of(matrix)));
    }
    CHECK(shared > 100);
    CHECK(copied > 50);
}

TEST_CASE("a shared tensor keeps the matrix alive, and a shared matrix the tensor") {
    // Under the address sanitizer a use after free shows; elsewhere, the counts of the owners do.
    torch::Tensor tensor;
    cv::Mat observer;
    {
        cv::Mat whole(5, 6, CV_16UC3, cv::Scalar(1, 2, 3));
        tensor = tensor_of(whole(cv::Rect(1, 1, 4, 3)));
        observer = whole;
    }
    CHECK(observer.u->refcount == 2);
    CHECK(tensor.to(torch::kInt32).sum().item<int>() == 4 * 3 * 6);
    tensor.reset();
    CHECK(observer.u->refcount == 1);

    torch::Tensor held = at::ones({5, 6, 2});
    CHECK(held.use_count() == 1);
    const std::size_t before = held.storage().use_count();
    cv::Mat part;
    {
        const cv::Mat whole = matrix_of(held, Transfer::share);
        const cv::Mat again = whole;
        part = whole(cv::Rect(2, 1, 3, 3));
        CHECK(held.storage().use_count() == before + 1);
    }
    CHECK(held.storage().use_count() == before + 1);
    held.reset();
    CHECK(cv::sum(part)[0] == 9.0);
    // OpenCV may put other memory into the matrix; its own memory is then freed as ever.
    part.create(40, 40, CV_64F);
    part.setTo(2.0);
    CHECK(cv::sum(part)[0] == 3200.0);
}

TEST_CASE("a matrix from a tensor and a tensor from that matrix keep each other's memory to the last") {
    torch::Tensor tensor = at::arange(24, torch::kFloat32).reshape({4, 6});
    for (int round = 0; round < 5; ++round) tensor = tensor_of(matrix_of(tensor));
    CHECK(tensor.equal(at::arange(24, torch::kFloat32).reshape({4, 6})));
    cv::UMat device;
    matrix_of(tensor).copyTo(device);
    CHECK(tensor_of(device.getMat(cv::ACCESS_READ), Transfer::copy).equal(tensor));
}

TEST_CASE("foreign memory under a matrix is copied unless sharing is asked for") {
    std::vector<float> memory(12, 3.0f);
    const cv::Mat matrix(3, 4, CV_32F, memory.data());
    const torch::Tensor copy = tensor_of(matrix);
    const torch::Tensor shared = tensor_of(matrix, Transfer::share);
    memory[0] = 5.0f;
    CHECK(copy[0][0].item<float>() == 3.0f);
    CHECK(shared[0][0].item<float>() == 5.0f);
    CHECK_FALSE(shares(matrix, copy));
    CHECK(shares(matrix, shared));
    // A step wider than a row, and memory that is not aligned.
    const cv::Mat stepped(3, 2, CV_32F, memory.data(), 4 * sizeof(float));
    CHECK(tensor_of(stepped, Transfer::share).strides().vec() == std::vector<std::int64_t>{4, 1});
    const cv::Mat odd(1, 2, CV_32F, reinterpret_cast<unsigned char*>(memory.data()) + 1);
    CHECK_FALSE(shares(odd, tensor_of(odd)));
    CHECK(holds(refusal([&] { tensor_of(odd, Transfer::share); }), "not aligned"));
}

TEST_CASE("a frame is a view (C,H,W) of the matrix, and a matrix of it shares again") {
    Dice dice(test_seed() + 2);
    for (const int channels : {1, 2, 3, 7}) {
        const cv::Mat matrix = dice.matrix(4, 5, CV_32FC(channels));
        const torch::Tensor frame = frame_of(matrix);
        CHECK(frame.sizes().vec() == std::vector<std::int64_t>{channels, 4, 5});
        CHECK(shares(matrix, frame));
        CHECK(same(matrix, frame.permute({1, 2, 0})));
        CHECK(shares(matrix_of_frame(frame, Transfer::share), frame));
        const torch::Tensor planes = frame.contiguous();
        CHECK(same(matrix_of_frame(planes), planes.permute({1, 2, 0})));
        CHECK(shares(matrix_of_frame(planes), planes) == (channels == 1));
    }
    CHECK(holds(refusal([] { matrix_of_frame(at::zeros({4, 5})); }), "a frame is (C,H,W), got [4,5]"));
}

TEST_CASE("red and blue change places when RGB is stated, in every depth") {
    Dice dice(test_seed() + 3);
    for (int k = 0; k < 8; ++k) {
        for (const int channels : {3, 4}) {
            const cv::Mat whole = dice.matrix(5, 6, CV_MAKETYPE(kDepths[k], channels));
            const cv::Mat matrix = whole(cv::Rect(1, 1, 4, 3));
            const torch::Tensor rgb = tensor_of(matrix, Transfer::share_or_copy, Colours::rgb);
            CHECK_FALSE(shares(matrix, rgb));
            std::vector<torch::Tensor> swapped = {rgb.select(2, 2), rgb.select(2, 1), rgb.select(2, 0)};
            if (channels == 4) swapped.push_back(rgb.select(2, 3));
            CHECK(same(matrix, at::stack(swapped, 2)));
            CHECK(same(matrix_of(rgb, Transfer::share_or_copy, Colours::rgb), tensor_of(matrix)));
        }
    }
    const cv::Mat grey(2, 2, CV_8U, cv::Scalar(1));
    CHECK(
        holds(refusal([&] { tensor_of(grey, Transfer::copy, Colours::rgb); }), "colours need 3 or 4 channels, got 1"));
    const cv::Mat colour(2, 2, CV_8UC3, cv::Scalar(1, 2, 3));
    CHECK(holds(refusal([&] { tensor_of(colour, Transfer::share, Colours::rgb); }), "cannot be shared as RGB"));
    CHECK(holds(refusal([&] { matrix_of(tensor_of(colour), Transfer::share, Colours::rgb); }), "its colours are RGB"));
}

TEST_CASE("empty and zero-size matrices and tensors keep type and shape") {
    CHECK(tensor_of(cv::Mat()).sizes().vec() == std::vector<std::int64_t>{0, 0});
    const cv::Mat none(0, 5, CV_16SC2);
    CHECK(tensor_of(none).sizes().vec() == std::vector<std::int64_t>{0, 5, 2});
    CHECK(tensor_of(none).scalar_type() == torch::kInt16);
    const cv::Mat back = matrix_of(at::empty({4, 0, 3}, torch::kInt8));
    CHECK(back.rows == 4);
    CHECK(back.cols == 0);
    CHECK(back.type() == CV_8SC3);
    CHECK(frame_of(cv::Mat(0, 3, CV_8U)).sizes().vec() == std::vector<std::int64_t>{1, 0, 3});
    CHECK_FALSE(shares(none, tensor_of(none)));
}

TEST_CASE("matrices of more dimensions keep them") {
    const int sizes[] = {2, 3, 4};
    cv::Mat matrix(3, sizes, CV_32SC2, cv::Scalar(5, 6));
    const torch::Tensor tensor = tensor_of(matrix);
    CHECK(tensor.sizes().vec() == std::vector<std::int64_t>{2, 3, 4, 2});
    CHECK(shares(matrix, tensor));
    const cv::Range ranges[] = {cv::Range::all(), cv::Range(1, 3), cv::Range(2, 3)};
    const torch::Tensor part = tensor_of(matrix(ranges));
    CHECK(part.strides().vec() == std::vector<std::int64_t>{24, 8, 2, 1});
    CHECK(part.select(3, 1).eq(6).all().item<bool>());
    CHECK(holds(refusal([&] { frame_of(matrix); }), "two dimensions, got 3"));
}

TEST_CASE("what no matrix can hold is refused with a reason") {
    CHECK(holds(refusal([] { matrix_of(torch::Tensor()); }), "no tensor"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2, 2}, torch::kInt64)); }), "no matrix type for a tensor of Long"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2, 2}, torch::kBool)); }), "Bool"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2, 2}, torch::kBFloat16)); }), "BFloat16"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2, 2}, torch::kComplexFloat)); }), "ComplexFloat"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2})); }), "got [2]"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2, 2, 2, 2})); }), "got [2,2,2,2]"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2, 2, CV_CN_MAX + 1})); }), "1 to 512 channels"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2, 2, 0})); }), "1 to 512 channels"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({1}, torch::kUInt8).expand({2147483648, 1})); }), "2147483647"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2, 2}).to_sparse()); }), "dense tensor on the CPU"));
    CHECK(holds(refusal([] { matrix_of(at::zeros({2, 3}).t(), Transfer::share); }), "do not follow each other"));
    // A lazily negated view has the wrong values in memory.
    const torch::Tensor imaginary = at::imag(at::complex(at::ones({2, 2}), at::ones({2, 2})).conj());
    CHECK(same(matrix_of(imaginary), -at::ones({2, 2})));
    // Gradients stay behind.
    CHECK(same(matrix_of(at::ones({2, 2}).requires_grad_()), at::ones({2, 2})));
}
