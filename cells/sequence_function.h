// A cell's operators as one differentiable function over the whole sequence.
#pragma once

#include "cells/memory.h"
#include "cells/optional_tensors.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/custom_function.h>

namespace nowcell {

/// `Cell` has
///     Rules; kGradients, how many of its tensors can have one; kOutputs, how many results are outputs
///     forward(tensors, rules, saved): the results of its forward operator: the sequence of h, the last h and other
///         states (kOutputs so far), the sequences of those states, all else that is saved
///     backward(tensors, results, gradients, rules, wanted): those of its backward operator
///     reference(tensors, rules): its outputs by the definition
///     save(context, rules), saved(context): its rules between the passes
template <class Cell>
struct SequenceFunction : torch::autograd::Function<SequenceFunction<Cell>> {
    using Tensors = std::vector<torch::Tensor>;
    using Context = torch::autograd::AutogradContext;

    /// The tensors that are defined, and where they stand among all: autograd takes no undefined inputs.
    static Tensors forward(Context* context, at::TensorList defined, const std::vector<bool>& present,
                           const typename Cell::Rules& rules, Memory memory) {
        const at::AutoDispatchBelowADInplaceOrView below;
        Tensors results = Cell::forward(unpacked(defined.vec(), present), rules, saved_for(memory));
        Tensors kept = defined.vec();
        // Not the last states: they are the ends of sequences that are kept.
        kept.push_back(results[0]);
        kept.insert(kept.end(), results.begin() + Cell::kOutputs, results.end());
        context->save_for_backward(std::move(kept));
        context->set_materialize_grads(false);
        context->saved_data["present"] = list_of(present);
        Cell::save(*context, rules);
        results.resize(Cell::kOutputs);
        return results;
    }

    static Tensors backward(Context* context, const Tensors& gradients) {
        // As in the forward pass, where backward() is called under autocast: on CUDA it casts at::convolution.
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const std::vector<bool> present = context->saved_data["present"].toBoolList().vec();
        const Tensors kept = context->get_saved_variables();
        const auto first = kept.begin() + std::count(present.begin(), present.end(), true);
        Tensors tensors = unpacked({kept.begin(), first}, present);
        if (c10::GradMode::is_enabled()) {
            // One input may depend on another: gradients must end at the inputs of this call.
            for (torch::Tensor& tensor : tensors) tensor = tensor.defined() ? tensor.view_as(tensor) : tensor;
        }
        const typename Cell::Rules rules = Cell::saved(*context);
        const std::vector<bool> wanted = wanted_gradients(*context, present, Cell::kGradients);
        Tensors all =
            c10::GradMode::is_enabled()
                ? gradients_of(Cell::reference(tensors, rules), gradients, tensors, wanted)
                : only(wanted, Cell::backward(tensors, with_last({first, kept.end()}), gradients, rules, wanted));
        all.resize(present.size());  // noise has no gradient
        Tensors packed = packed_like(all, present);
        packed.resize(packed.size() + 3);  // nor have present, rules and memory
        return packed;
    }

 private:
    static Tensors with_last(Tensors results) {
        Tensors last;
        for (std::size_t i = 0; i + 1 < Cell::kOutputs; ++i) last.push_back(results[i].select(1, -1));
        results.insert(results.begin() + 1, last.begin(), last.end());
        return results;
    }
};

/// The cell's outputs; differentiable when any tensor asks for it, and nothing is kept when none does. Second
/// derivatives and forward-mode derivatives are those of the definition.
template <class Cell>
std::vector<torch::Tensor> run_sequence(const std::vector<torch::Tensor>& tensors, const typename Cell::Rules& rules,
                                        Memory memory) {
    if (has_tangents(tensors)) return Cell::reference(tensors, rules);
    if (learns(tensors)) {
        const std::vector<bool> present = which_defined(tensors);
        const std::vector<torch::Tensor> defined = packed_like(tensors, present);
        return SequenceFunction<Cell>::apply(at::TensorList(defined), present, rules, memory);
    }
    std::vector<torch::Tensor> outputs = Cell::forward(tensors, rules, Saved::none);
    outputs.resize(Cell::kOutputs);
    return outputs;
}

}  // namespace nowcell
