// SEVIR's catalogue: which event lies where. Free of files, so that it can be tested on any text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nowcell {

/// A row of CATALOG.csv.
struct SevirEvent {
    std::string id;          ///< may be empty
    std::string file_name;   ///< relative, with '/', never out of the catalogue's folder
    std::int64_t index = 0;  ///< of the event in its file
    std::string image_type;  ///< "vil", "ir069", "ir107", "vis", "lght"
    std::string time_utc;    ///< "2018-03-01 12:00:00"; may be empty
    double missing = 0.0;    ///< pct_missing; 0 where the catalogue does not say
    std::int64_t line = 0;   ///< in the catalogue, from 1
};

/// Comma-separated values with a header line; columns in any order; file_name, file_index and img_type are required,
/// others passed over. Fields may be quoted, with doubled quotes inside; lines end in LF or CRLF. Throws Error(data)
/// with `path` and the line on anything else, on a field beyond 64 KiB, on more than 2^20 rows, and on a file_name that
/// could lead elsewhere.
std::vector<SevirEvent> parse_sevir_catalogue(std::string_view text, const std::string& path);

}  // namespace nowcell
