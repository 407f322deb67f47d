#include "cells/rules.h"

#include <torch/csrc/autograd/custom_function.h>

namespace nowcell {

CellRules rules_from(at::IntArrayRef stride, at::IntArrayRef dilation, std::string_view padding,
                     std::string_view activation, std::string_view recurrent_activation) {
    return {{stride.vec(), dilation.vec(), padding_from(std::string(padding))},
            activation_from(std::string(activation)),
            activation_from(std::string(recurrent_activation))};
}

void save_rules(torch::autograd::AutogradContext& context, const CellRules& rules) {
    context.saved_data["stride"] = rules.convolution.stride;
    context.saved_data["dilation"] = rules.convolution.dilation;
    context.saved_data["padding"] = std::string(name_of(rules.convolution.padding));
    context.saved_data["activation"] = name_of(rules.activation);
    context.saved_data["recurrent_activation"] = name_of(rules.recurrent_activation);
}

CellRules saved_rules(torch::autograd::AutogradContext& context) {
    return rules_from(context.saved_data["stride"].toIntVector(), context.saved_data["dilation"].toIntVector(),
                      context.saved_data["padding"].toStringRef(), context.saved_data["activation"].toStringRef(),
                      context.saved_data["recurrent_activation"].toStringRef());
}

}  // namespace nowcell
