#include "data/formats/image_header.h"

#include "tests/fuzz/fuzz.h"

// What is accepted describes pixels, and leaving out the ballast gives a picture of the same kind.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const unsigned char> bytes(data, size);
    return tried(nowcell::ExitCode::data, [&] {
        const nowcell::ImageHeader header = nowcell::parse_image_header(bytes, "fuzz");
        must(header.width > 0 && header.height > 0, "a picture without pixels");
        must(header.channels >= 1 && header.channels <= 4, "a number of channels that no decoder gives");
        must(header.pages >= 1, "a picture without pages");
        must(header.body >= 0 && static_cast<std::size_t>(header.body) <= size, "samples behind the end of the file");
        const std::vector<unsigned char> needed = nowcell::without_ballast(bytes);
        must(needed.size() <= size, "less of the file is more than all of it");
        try {
            const nowcell::ImageHeader again = nowcell::parse_image_header(needed, "without ballast");
            must(again.width == header.width && again.height == header.height && again.channels == header.channels &&
                     again.type == header.type,
                 "a picture changes without its ballast");
        } catch (const nowcell::Error& error) {
            finding(error.what());
        }
    });
}
