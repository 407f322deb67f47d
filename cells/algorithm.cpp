#include "cells/algorithm.h"

#include "cells/choice.h"

namespace nowcell {

const std::vector<std::string>& algorithm_names() {
    static const std::vector<std::string> names = {"auto",      "direct", "winograd-safe",  "winograd-fast",
                                                   "reference", "cudnn",  "cudnn-separate", "implicit-gemm"};
    return names;
}

Algorithm algorithm_from(std::string_view name) { return choice<Algorithm>("algorithm", name, algorithm_names()); }

const std::string& name_of(Algorithm algorithm) { return algorithm_names()[static_cast<std::size_t>(algorithm)]; }

bool is_for_cpu(Algorithm algorithm) { return algorithm <= Algorithm::reference; }

bool is_for_cuda(Algorithm algorithm) { return algorithm >= Algorithm::reference || algorithm == Algorithm::automatic; }

}  // namespace nowcell
