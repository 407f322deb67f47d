// Headers of pictures: any bytes are parsed or refused with an Error; sides are bounded, and a picture without its
// ballast is still the same picture.
#include "data/formats/image_header.h"
#include "src/error.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const nowcell::ImageHeader header = nowcell::parse_image_header({data, size}, "fuzz");
        constexpr std::int64_t kMost = 1 << 20;
        const bool fits = header.width >= 1 && header.width <= kMost && header.height >= 1 && header.height <= kMost &&
                          header.channels >= 1 && header.channels <= 4 && header.body <= static_cast<std::int64_t>(size);
        if (!fits) std::abort();
        const std::vector<unsigned char> bare = nowcell::without_ballast({data, size});
        const nowcell::ImageHeader again = nowcell::parse_image_header(bare, "bare");
        if (again.width != header.width || again.height != header.height || again.channels != header.channels ||
            again.type != header.type) {
            std::abort();
        }
    } catch (const nowcell::Error&) {
    }
    return 0;
}
