// Where results go: text to stdout or --output, JSON to --json.
#pragma once

#include "src/verb.h"

#include <string>

namespace nowcell {

/// Prints `text` on stdout or writes it to --output; writes `json` where --json says. With `--json -` stdout holds the
/// JSON document and nothing else. Throws Error(output).
void deliver(const Request& request, const std::string& text, const std::string& json = "");

/// Writes a report file, making the folders above it. Throws Error(output).
void write_report(const std::string& path, const std::string& text);

/// Refuses, before any work, report files that exist (unless --force) or cannot be written. Throws Error(output).
void check_report_files(const Request& request);

}  // namespace nowcell
