// The activations of a recurrent cell. Apart from activation.h, as kernels know no torch.
#pragma once

namespace nowcell {

/// Both definitions of hard_sigmoid exist in the wild and differ: a model must be run with the one it was trained with.
enum class Activation {
    linear,
    tanh,
    sigmoid,
    relu,
    hard_sigmoid,         ///< clip(x/6 + 0.5, 0, 1): Keras 3, PyTorch
    hard_sigmoid_keras2,  ///< clip(0.2 x + 0.5, 0, 1): Keras 1 and 2, tf.keras up to 2.15
};

}  // namespace nowcell
