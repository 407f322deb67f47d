// A number that stands for all bytes of a tensor.
#pragma once

#include <torch/types.h>

#include <cstdint>

/// FNV-1a, 64 bits, over the bytes of a contiguous tensor.
inline std::uint64_t hash_of(const torch::Tensor& tensor) {
    std::uint64_t hash = 14695981039346656037u;
    const auto* bytes = static_cast<const std::uint8_t*>(tensor.data_ptr());
    for (std::size_t i = 0; i < tensor.nbytes(); ++i) hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}
