// Openers that are being written; each leaves this file with its implementation.
#include "data/formats/formats.h"
#include "src/error.h"

namespace nowcell {

static std::unique_ptr<FrameReader> pending(const SourceOptions& options) {
    throw Error(ExitCode::data, "cannot open " + options.path + ": not yet");
}

std::unique_ptr<FrameReader> open_animation(const SourceOptions& options) { return pending(options); }
std::unique_ptr<FrameReader> open_video(const SourceOptions& options) { return pending(options); }

}  // namespace nowcell
