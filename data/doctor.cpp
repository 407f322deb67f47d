// What doctor says of HDF5, the file system, and the data of --config.
#include "src/doctor.h"
#include "data/data_options.h"
#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>
#include <hdf5.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <fcntl.h>

namespace nowcell {
namespace {

Finding hdf5_finding() {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    hbool_t threads = false;
    H5is_library_threadsafe(&threads);
    const bool gzip = H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0, szip = H5Zfilter_avail(H5Z_FILTER_SZIP) > 0;
    const bool same = major == H5_VERS_MAJOR && minor == H5_VERS_MINOR && release == H5_VERS_RELEASE;
    const std::string text =
        fmt::format("{}.{}.{}, headers of {}.{}.{}, {}, filters: gzip {}, szip {}", major, minor, release,
                    H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE,
                    threads ? "thread-safe" : "not thread-safe (we lock)", gzip ? "yes" : "no", szip ? "yes" : "no");
    if (!same) return {"HDF5", Health::fail, text, "build again with the HDF5 that is installed"};
    if (!gzip) return {"HDF5", Health::warn, text, "compressed files cannot be read: install an HDF5 with zlib"};
    return {"HDF5", Health::pass, text};
}

// HDF5 locks the files that it opens, which some network file systems refuse.
Finding locking_finding() {
    const char* setting = std::getenv("HDF5_USE_FILE_LOCKING");
    const std::string note = setting == nullptr ? "" : fmt::format("; HDF5_USE_FILE_LOCKING is {}", setting);
    char name[] = ".nowcell-doctor-XXXXXX";
    const int file = ::mkstemp(name);
    if (file < 0)
        return {"file locking", Health::warn, "the working directory cannot be written" + note, "write elsewhere"};
    const bool locks = ::flock(file, LOCK_EX | LOCK_NB) == 0;
    ::close(file);
    ::unlink(name);
    if (locks) return {"file locking", Health::pass, "works in the working directory" + note};
    return {"file locking", Health::warn, "not supported by the working directory's file system" + note,
            "set HDF5_USE_FILE_LOCKING=FALSE"};
}

Finding reader_finding() {
    try {
        const std::string program = reader_program();
        if (::access(program.c_str(), X_OK) == 0) return {"file readers", Health::pass, program};
        return {"file readers", Health::fail, program + " cannot be executed", "install it again"};
    } catch (const Error& error) {
        return {"file readers", Health::fail, error.problems().front().what, error.problems().front().hint};
    }
}

Finding data_finding(const Config& config) {
    try {
        const DataOptions options = DataOptions::from(config);
        const SourceInfo info = open_source(options.source)->info();
        std::int64_t longest = 0;
        for (const std::int64_t frames : info.frames) longest = std::max(longest, frames);
        const std::int64_t needed = options.window.input_steps + options.window.output_steps;
        const std::string text =
            fmt::format("{} {}: {} recordings of up to {} frames, {} x {} x {}", info.path, info.dataset,
                        info.frames.size(), longest, info.channels, info.height, info.width);
        if (longest >= needed) return {"data", Health::pass, text};
        return {"data", Health::fail, fmt::format("{}; a window needs {} frames", text, needed),
                "lower data.input_steps or data.output_steps"};
    } catch (const Error& error) {
        const Problem& problem = error.problems().front();
        return {"data", Health::fail, problem.what, problem.hint};
    }
}

}  // namespace
}  // namespace nowcell

extern "C" void nowcell_doctor_data(const nowcell::Request& request, nowcell::Findings& findings) {
    using namespace nowcell;
    findings.push_back(hdf5_finding());
    findings.push_back(locking_finding());
    findings.push_back(reader_finding());
    if (request.has("--config")) findings.push_back(data_finding(request.config()));
}
