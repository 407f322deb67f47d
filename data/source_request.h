// What the flags of the data verbs say about a source.
#pragma once

#include "data/formats/source_info.h"
#include "src/verb.h"

#include <string>

namespace nowcell {

/// The source that PATH and the flags --dataset, --layout, --rows, --columns and --trust name. Missing values arrive as
/// NaN. Throws Error(usage) for a range that is none.
SourceOptions source_options(const Request& request);

/// The same with another path, for verbs that take several.
SourceOptions source_options(const Request& request, const std::string& path);

}  // namespace nowcell
