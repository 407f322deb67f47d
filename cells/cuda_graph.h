// Whether sequences on a GPU are captured as CUDA graphs.
#pragma once

namespace nowcell {

/// Off by default. On: a call of a ConvLSTM on a GPU that comes a second time with the same shapes, options and weights
/// (by address) is captured, and replayed from then on; inputs and results are copied. For small frames, where launches
/// take longer than kernels. Of the whole process, as the configuration key cells.cuda_graph.
void use_cuda_graphs(bool on);
bool cuda_graphs_used();

}  // namespace nowcell
