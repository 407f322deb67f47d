#include "train/autocast.h"

#include <ATen/autocast_mode.h>

namespace nowcell {

Autocast::Autocast(const std::string& precision, torch::Device device)
    : device_(device.type()), active_(precision == "bfloat16") {
    if (!active_) return;
    before_ = at::autocast::is_autocast_enabled(device_);
    type_before_ = at::autocast::get_autocast_dtype(device_);
    at::autocast::set_autocast_dtype(device_, torch::kBFloat16);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::increment_nesting();
}

Autocast::~Autocast() {
    if (!active_) return;
    // The weights' casts are kept for one forward pass: the optimiser changes them.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, before_);
    at::autocast::set_autocast_dtype(device_, type_before_);
}

}  // namespace nowcell
