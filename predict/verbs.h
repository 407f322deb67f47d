// Verbs and configuration keys of predict/. Free of LibTorch.
#pragma once

#include "src/verb.h"

namespace nowcell {

std::vector<Verb> predict_verbs();
std::vector<Key> predict_keys();

}  // namespace nowcell
