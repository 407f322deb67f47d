// Verbs and configuration keys of train/. Free of LibTorch.
#pragma once

#include "src/verb.h"

namespace nowcell {

std::vector<Verb> train_verbs();
std::vector<Key> train_keys();

}  // namespace nowcell
