#include "src/config.h"

#include "tests/fuzz/fuzz.h"

#include <string>

// What is accepted and written out is accepted again and means the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    return tried(nowcell::ExitCode::usage, [&] {
        const nowcell::Config config = nowcell::Config::parse(text, "fuzz.toml");
        const std::string written = config.toml();
        std::string again;
        try {
            again = nowcell::Config::parse(written, "again.toml").toml();
        } catch (const nowcell::Error& error) {
            finding(error.what());
        }
        must(again == written, "a configuration changes when it is written and read again");
    });
}
