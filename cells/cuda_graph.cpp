#include "cells/cuda_graph.h"

#include <atomic>

namespace nowcell {
namespace {

std::atomic<bool>& state() {
    static std::atomic<bool> on = false;
    return on;
}

}  // namespace

void use_cuda_graphs(bool on) { state() = on; }
bool cuda_graphs_used() { return state(); }

}  // namespace nowcell
