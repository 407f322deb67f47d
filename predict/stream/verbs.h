// Verbs of predict/stream/. Free of LibTorch.
#pragma once

#include "src/verb.h"

namespace nowcell {

Verb stream_verb();
Verb bench_stream_verb();

}  // namespace nowcell
