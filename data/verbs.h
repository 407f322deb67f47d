// Verbs and configuration keys of data/. Free of LibTorch.
#pragma once

#include "src/verb.h"

namespace nowcell {

std::vector<Verb> data_verbs();
std::vector<Key> data_keys();

}  // namespace nowcell
