// Every operator of the library: the only TORCH_LIBRARY(nowcell), since two in one process abort it.
// Shapes and meanings: conv_lstm_operator.h, conv_gru_operator.h. Gates i, f, g, o and z, r, g.
#include "cells/cuda_graph.h"

#include <torch/library.h>

TORCH_LIBRARY(nowcell, library) {
    library.def("use_cuda_graphs(bool on) -> ()", &nowcell::use_cuda_graphs);  // of the whole process
    library.def(
        "conv_lstm(Tensor x, Tensor? h, Tensor? c, Tensor input, Tensor hidden, Tensor? bias=None, "
        "Tensor? peephole=None, Tensor? norm_input_scale=None, Tensor? norm_input_shift=None, "
        "Tensor? norm_hidden_scale=None, Tensor? norm_hidden_shift=None, Tensor? input_dropout=None, "
        "Tensor? hidden_dropout=None, Tensor? keep_h=None, Tensor? keep_c=None, Tensor? mask=None, *, "
        "int[] stride=[], int[] dilation=[], str padding='same', str activation='tanh', "
        "str recurrent_activation='sigmoid', bool go_backwards=False, bool zero_output_for_mask=False, "
        "str memory='store', str algorithm='auto') -> (Tensor output, Tensor h, Tensor c)");
    library.def(
        "conv_gru(Tensor x, Tensor? h, Tensor input, Tensor hidden, Tensor? bias=None, Tensor? hidden_bias=None, "
        "Tensor? input_dropout=None, Tensor? hidden_dropout=None, Tensor? keep_h=None, Tensor? mask=None, *, "
        "int[] stride=[], int[] dilation=[], str padding='same', str activation='tanh', "
        "str recurrent_activation='sigmoid', str reset='after', str update='keep', bool go_backwards=False, "
        "bool zero_output_for_mask=False, str memory='store') -> (Tensor output, Tensor h)");
    // What a backend implements; autograd calls these. `tensors` are those of the cell's *Arguments::tensors().
    library.def(
        "conv_lstm_forward(Tensor?[] tensors, int[] stride, int[] dilation, str padding, str activation, "
        "str recurrent_activation, str saved, str algorithm) -> (Tensor h, Tensor h_last, Tensor c_last, Tensor c, "
        "Tensor gates)");
    library.def(
        "conv_lstm_backward(Tensor?[] tensors, Tensor[] results, Tensor?[] gradients, int[] stride, int[] dilation, "
        "str padding, str activation, str recurrent_activation, str algorithm, bool[] wanted) -> Tensor[]");
    library.def(
        "conv_gru_forward(Tensor?[] tensors, int[] stride, int[] dilation, str padding, str activation, "
        "str recurrent_activation, str reset, str update, str saved) -> (Tensor h, Tensor h_last, Tensor gates)");
    library.def(
        "conv_gru_backward(Tensor?[] tensors, Tensor[] results, Tensor?[] gradients, int[] stride, int[] dilation, "
        "str padding, str activation, str recurrent_activation, str reset, str update, bool[] wanted) -> Tensor[]");
}
