// What stands behind an Hdf5File.
#pragma once

#include "data/formats/hdf5_chunks.h"
#include "data/formats/hdf5_handle.h"

#include <map>
#include <memory>
#include <string>

namespace nowcell {

/// Datasets stay open so that their chunk caches do.
struct Hdf5File::Impl {
    struct Open {
        Hdf5Handle set;
        Hdf5Description description;
        std::unique_ptr<Hdf5Chunks> chunks;  ///< empty: H5Dread
    };

    std::string path;
    std::int64_t bytes = 0;  ///< size of the file
    Hdf5Handle links;        ///< access to names: refuses to leave the file
    Hdf5Handle file;
    std::map<std::string, Open> open;
    std::int64_t cache_limit = 0;  ///< bytes that chunk caches of libhdf5 may take together
    std::int64_t cached = 0;       ///< bytes that those of the open datasets may take
    ChunkCache decoded{0};         ///< what we decode ourselves

    /// The dataset, opened and checked; `open` holds it. Throws Error(data).
    Open& dataset(const std::string& name);

    void close_all();
};

}  // namespace nowcell
