#include "predict/pictures/animation.h"
#include "predict/pictures/gif.h"
#include "predict/pictures/ticks.h"
#include "predict/pictures/video.h"
#include "src/error.h"
#include "src/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace nowcell {
namespace {

constexpr double kLastPause_s = 1.4;
constexpr int kFieldLevels = 128;
constexpr int kErrorLevels = 65;
constexpr int kErrorLevelsBesideRgb = 33;  // leaves most of the palette to the frames
constexpr int kMovieLevels = 255;          // odd: no error has the colour in the middle

bool one_channel(const Forecast& forecast) { return forecast.input.size(1) == 1; }

bool is_grey(const Forecast& forecast, const ColourScale& scale) {
    return one_channel(forecast) && map_name(scale) == "grey";
}

// Grey frames take all 256 colours of a GIF to come back without loss, so their errors are grey too.
AnimationColours gif_colours(const Forecast& forecast, const ColourScale& scale) {
    ColourScale errors = error_scale(forecast, scale.units);
    if (is_grey(forecast, scale)) {
        errors.map = "grey";
        return {Colours(scale), Colours(errors, kMovieLevels), kInk};
    }
    const int error_levels = one_channel(forecast) ? kErrorLevels : kErrorLevelsBesideRgb;
    return {Colours(scale, kFieldLevels), Colours(errors, error_levels)};
}

// The colours of both maps exactly, then the greys of letters and lines.
Palette gif_palette(const Forecast& forecast, const AnimationColours& maps) {
    std::vector<Rgb> colours = {kWhite,   kInk,           kSoftInk,  kLine,      kFaint,
                                kMissing, kMissingStripe, kPastLine, maps.future};
    for (int grey = 50; grey < 255; grey += 17) {
        const auto g = static_cast<std::uint8_t>(grey);
        colours.push_back({g, g, g});
    }
    const auto append = [&](const std::vector<Rgb>& more) { colours.insert(colours.end(), more.begin(), more.end()); };
    if (known_leads(forecast) > 0) append(maps.error.levels());
    if (one_channel(forecast)) {
        append(maps.field.levels());
        return Palette(colours);
    }
    std::vector<Rgb> seen;
    for (const auto& frames : {forecast.input, forecast.forecast}) {
        for (std::int64_t t : thinned(frames.size(0), 8)) {
            const Image image = painted(resized(field_at(frames, t), {64, 64}), maps.field);
            seen.insert(seen.end(), image.pixels.begin(), image.pixels.end());
        }
    }
    append(median_cut(std::move(seen), 255 - static_cast<int>(colours.size())));
    return Palette(colours);
}

void check_rate(const char* what, double frames_per_s) {
    if (frames_per_s > 0) return;
    throw Error(ExitCode::internal, std::string("cannot write ") + what + ": frames_per_s: got " +
                                        std::to_string(frames_per_s) + ", expected > 0");
}

// FFmpeg tells the container by the ending of the name, and does not say why a file cannot be opened.
struct NamedTemporary {
    NamedTemporary(const std::string& temporary, const std::string& like)
        : path(temporary + std::filesystem::path(like).extension().string()) {
        const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (file < 0) throw std::system_error(errno, std::generic_category());
        ::close(file);
    }
    ~NamedTemporary() { ::unlink(path.c_str()); }
    NamedTemporary(const NamedTemporary&) = delete;
    NamedTemporary& operator=(const NamedTemporary&) = delete;
    std::string path;
};

}  // namespace

void write_gif(const std::string& path, const Forecast& forecast, const ColourScale& scale, double frames_per_s) {
    check_forecast(forecast);
    check_rate("a GIF", frames_per_s);
    const AnimationColours colours = gif_colours(forecast, scale);
    const Animation animation(forecast, colours);
    GifWriter gif(animation.width(), animation.height(),
                  is_grey(forecast, scale) ? Palette::greys() : gif_palette(forecast, colours));
    const double seconds = 1.0 / frames_per_s;
    for (std::int64_t i = 0; i < animation.frames(); ++i) {
        const bool last = i + 1 == animation.frames();
        gif.add(animation.frame(i).image(), last ? std::max(seconds, kLastPause_s) : seconds);
    }
    write_atomically(path, gif.bytes());
}

std::string write_mp4(const std::string& path, const Forecast& forecast, const ColourScale& scale,
                      double frames_per_s) {
    check_forecast(forecast);
    check_rate("a movie", frames_per_s);
    const Animation animation(forecast, {Colours(scale), Colours(error_scale(forecast, scale.units), kMovieLevels)});
    std::string codec;
    write_atomically(path, [&](const std::string& temporary) {
        const NamedTemporary named(temporary, path);
        VideoFile movie(named.path, animation.width(), animation.height(), frames_per_s, codecs_for(path));
        for (std::int64_t i = 0; i < animation.frames(); ++i) movie.add(animation.frame(i).image());
        movie.close();
        codec = movie.codec();
        std::filesystem::rename(named.path, temporary);
    });
    return codec;
}

}  // namespace nowcell
