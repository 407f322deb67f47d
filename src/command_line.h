// argv in, a checked Request out.
#pragma once

#include "src/verb.h"

#include <string>
#include <vector>

namespace nowcell {

/// Parses the words after the program name. The verbs "help" and "version" stand for -h, --help and --version.
/// Throws Error(usage): unknown verb or flag with the nearest name, missing or ill-typed values.
Request parse_command_line(const std::vector<std::string>& words);

}  // namespace nowcell
