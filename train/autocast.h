// Computing in bfloat16 while weights, optimiser and loss stay in float32.
#pragma once

#include <torch/types.h>

#include <string>

namespace nowcell {

/// For its scope: the convolutions of heads and the cells, their states apart, compute in bfloat16 on that device.
/// Gradients of float32 parameters are float32. To be put around the forward pass alone.
/// Source: torch.autocast(device, torch.bfloat16).
class Autocast {
 public:
    /// precision: "float32" (changes nothing) | "bfloat16".
    Autocast(const std::string& precision, torch::Device device);
    ~Autocast();
    Autocast(const Autocast&) = delete;
    Autocast& operator=(const Autocast&) = delete;

 private:
    torch::DeviceType device_;
    bool active_;
    bool before_ = false;
    torch::ScalarType type_before_ = torch::kBFloat16;
};

}  // namespace nowcell
