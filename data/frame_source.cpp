#include "data/frame_source.h"

#include "data/direct_source.h"

#include <fmt/format.h>

namespace nowcell {
torch::Tensor FrameSource::read_batch(const std::vector<FrameRange>& ranges) const {
    std::vector<torch::Tensor> out;
    for (const FrameRange& range : ranges) out.push_back(read(range.recording, range.first, range.count));
    return torch::stack(out);
}

std::string position_text(const SourceInfo& info, std::int64_t recording, std::int64_t t, std::int64_t c,
                          std::int64_t y, std::int64_t x) {
    std::string out;
    for (const char letter : info.layout) {
        const std::int64_t at = letter == 'n'   ? recording
                                : letter == 't' ? t
                                : letter == 'c' ? c
                                : letter == 'h' ? y + info.first_row
                                                : x + info.first_column;
        out += fmt::format("{}{}", out.empty() ? "" : ",", at);
    }
    const bool many = info.layout.find('t') == std::string::npos;
    return fmt::format("{}[{}]{}", info.dataset, out, many ? fmt::format(" of frame {}", t) : "");
}

std::unique_ptr<FrameSource> open_source(const SourceOptions& options) { return open_direct(options); }

}  // namespace nowcell
