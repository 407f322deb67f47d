// Verbs and configuration keys of src/: the model, and what needs no data.
#pragma once

#include "src/verb.h"

namespace nowcell {

std::vector<Verb> src_verbs();
std::vector<Key> model_keys();

}  // namespace nowcell
