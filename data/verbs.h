// Verbs and configuration keys of data/. Free of LibTorch.
#pragma once

#include "src/verb.h"

namespace nowcell {

/// --dataset, --layout, --rows, --columns, --trust: what source_options() reads.
std::vector<Flag> source_flags();

std::vector<Verb> data_verbs();
std::vector<Key> data_keys();

}  // namespace nowcell
