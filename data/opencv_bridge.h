// cv::Mat to tensor and back, sharing memory where the layouts allow it.
#pragma once

#include <opencv2/core/mat.hpp>
#include <torch/types.h>

namespace nowcell {

/// What may happen to the values.
enum class Transfer {
    share_or_copy,  ///< shared where layout and ownership allow it, else copied
    share,          ///< shared, or Error(usage) that says why not
    copy,           ///< always copied: the result is contiguous
};

/// The order of the tensor's colours. Matrices have blue first, as OpenCV reads and writes them.
enum class Colours {
    bgr,  ///< channels stay as they are, whatever they mean
    rgb,  ///< 3 or 4 channels, the first and the third change places; this copies
};

/// The values of a matrix: (H,W), or (H,W,C) for more than one channel; sizes of matrices of more dimensions as they
/// are. uint8, int8, uint16, int16, int32, float32, float64 or float16, as stored. Submatrices give strided tensors. A
/// shared tensor keeps the matrix alive, and writing to one shows in the other. A matrix made over foreign memory does
/// not own it: it is copied, or with Transfer::share the caller keeps that memory alive. An empty matrix gives (0,0).
/// Throws Error(usage).
torch::Tensor tensor_of(const cv::Mat& matrix, Transfer transfer = Transfer::share_or_copy,
                        Colours colours = Colours::bgr);

/// The same as a frame: a (C,H,W) view of tensor_of's memory, C = 1 included. The matrix has two dimensions.
torch::Tensor frame_of(const cv::Mat& matrix, Transfer transfer = Transfer::share_or_copy,
                       Colours colours = Colours::bgr);

/// The values of a tensor (H,W) or (H,W,C), C at most CV_CN_MAX, as a matrix of C channels.
/// On the CPU, of one of the types above. Memory is shared when a pixel's channels and a row's pixels follow each other
/// and rows do not overlap; a shared matrix keeps the tensor's memory alive, also through its submatrices.
/// Throws Error(usage).
cv::Mat matrix_of(const torch::Tensor& tensor, Transfer transfer = Transfer::share_or_copy,
                  Colours colours = Colours::bgr);

/// The same of a frame (C,H,W), shared when it has one channel or its channels lie last in memory.
cv::Mat matrix_of_frame(const torch::Tensor& frame, Transfer transfer = Transfer::share_or_copy,
                        Colours colours = Colours::bgr);

/// Whether the first value of the tensor lies in the memory of the matrix. False for no values.
bool shares(const cv::Mat& matrix, const torch::Tensor& tensor);

}  // namespace nowcell
