// A cell's rules as the plain arguments of an operator.
#pragma once

#include "cells/reference.h"

#include <string>
#include <string_view>

namespace torch::autograd {
struct AutogradContext;
}

namespace nowcell {

/// Throws c10::ValueError that lists the names.
CellRules rules_from(at::IntArrayRef stride, at::IntArrayRef dilation, std::string_view padding,
                     std::string_view activation, std::string_view recurrent_activation);

/// Keeps rules for the backward pass, and brings them back.
void save_rules(torch::autograd::AutogradContext& context, const CellRules& rules);
CellRules saved_rules(torch::autograd::AutogradContext& context);

}  // namespace nowcell
