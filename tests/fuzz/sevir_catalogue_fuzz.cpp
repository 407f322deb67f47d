#include "data/formats/sevir_catalogue.h"

#include "tests/fuzz/fuzz.h"

#include <cmath>

// No row leads out of the catalogue's folder.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    return tried(nowcell::ExitCode::data, [&] {
        for (const nowcell::SevirEvent& event : nowcell::parse_sevir_catalogue(text, "CATALOG.csv")) {
            const std::string path = "/" + event.file_name + "/";
            must(!event.file_name.empty() && event.file_name.front() != '/', "a file that is not relative");
            must(path.find("/../") == std::string::npos, "a file above the catalogue");
            must(path.find('\0') == std::string::npos, "a name that ends early");
            must(event.index >= 0 && event.line >= 2, "an event before the first");
            must(std::isfinite(event.missing), "a part that is no number");
        }
    });
}
