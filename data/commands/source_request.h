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

/// Refuses an output that would replace what is read: the file itself, any file of a folder or beside a catalogue.
/// Throws Error(output).
void check_not_input(const std::string& output, const std::string& input);

}  // namespace nowcell
