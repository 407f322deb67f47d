#include "data/formats/frame_layout.h"
#include "data/formats/hdf5_impl.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace nowcell {
namespace {

herr_t refuse_to_leave(const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) { return -1; }

// Room for the chunks under two frames, so that reading frame after frame inflates each chunk once.
std::int64_t cache_bytes(const Hdf5Description& data, std::size_t value_bytes, std::int64_t most) {
    constexpr double kLeast = 1 << 20;
    if (data.filters == "none") return 0;  // libhdf5 then reads straight into our memory
    const std::size_t leading =
        std::max<std::size_t>(1, data.chunk.size() - std::min<std::size_t>(data.chunk.size(), 3));
    double bytes = 2.0 * static_cast<double>(value_bytes);
    for (std::size_t i = 0; i < data.chunk.size(); ++i) {
        const std::int64_t side = std::max<std::int64_t>(1, data.chunk[i]);
        const std::int64_t chunks = i < leading ? 1 : data.shape[i] / side + 1;
        bytes *= static_cast<double>(data.chunk[i]) * static_cast<double>(chunks);
    }
    return static_cast<std::int64_t>(std::clamp(bytes, kLeast, std::max(kLeast, static_cast<double>(most))));
}

// The same dataset again, with a chunk cache that suits it.
Hdf5Handle with_cache(Hdf5Handle set, const std::string& name, hid_t file, std::int64_t bytes) {
    const Hdf5Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    constexpr std::size_t kSlots = 12421;  // prime, far more than the chunks that fit
    H5Pset_chunk_cache(access.id(), kSlots, static_cast<std::size_t>(bytes), H5D_CHUNK_CACHE_W0_DEFAULT);
    H5Pset_elink_cb(access.id(), refuse_to_leave, nullptr);
    set = Hdf5Handle();
    return Hdf5Handle(H5Dopen2(file, name.c_str(), access.id()), H5Dclose);
}

struct Listing {
    hid_t file;
    std::int64_t objects;
    std::vector<Hdf5Description> found;
};

herr_t visit(hid_t, const char* name, const H5O_info_t* object, void* context) {
    auto& listing = *static_cast<Listing*>(context);
    constexpr std::int64_t kMostObjects = 1 << 16;
    if (++listing.objects > kMostObjects) return 1;
    if (object->type != H5O_TYPE_DATASET) return 0;
    const Hdf5Handle set(H5Dopen2(listing.file, name, H5P_DEFAULT), H5Dclose);
    if (set) listing.found.push_back(describe_hdf5(set.id(), "/" + std::string(name)));
    return 0;
}

}  // namespace

Hdf5File::Hdf5File(const std::string& path, std::int64_t cache_bytes) : impl_(std::make_unique<Impl>()) {
    const Hdf5Lock lock;
    impl_->path = path;
    impl_->cache_limit = cache_bytes;
    impl_->decoded = ChunkCache(cache_bytes);
    std::error_code ignored;
    impl_->bytes = static_cast<std::int64_t>(std::filesystem::file_size(path, ignored));
    impl_->links = Hdf5Handle(H5Pcreate(H5P_LINK_ACCESS), H5Pclose);
    H5Pset_elink_cb(impl_->links.id(), refuse_to_leave, nullptr);
    const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_file_locking(access.id(), true, true);  // network mounts without locks are still read
    impl_->file = Hdf5Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
    if (!impl_->file) fail_hdf5(path, "open HDF5 file");
}

Hdf5File::~Hdf5File() {
    const Hdf5Lock lock;
    impl_.reset();
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept = default;

const std::string& Hdf5File::path() const { return impl_->path; }

std::vector<Hdf5Description> Hdf5File::list() const {
    const Hdf5Lock lock;
    Listing listing{impl_->file.id(), 0, {}};
    // Follows hard links only, each object once: no way out of the file and no cycles.
    const herr_t status = H5Ovisit2(impl_->file.id(), H5_INDEX_NAME, H5_ITER_INC, visit, &listing, H5O_INFO_BASIC);
    if (status < 0) fail_hdf5(impl_->path, "list the datasets");
    return std::move(listing.found);
}

bool Hdf5File::has(const std::string& dataset) const {
    const Hdf5Lock lock;
    H5O_info_t object{};
    return H5Oget_info_by_name2(impl_->file.id(), dataset.c_str(), &object, H5O_INFO_BASIC, impl_->links.id()) >= 0 &&
           object.type == H5O_TYPE_DATASET;
}

// With what is there instead, and the nearest name.
[[noreturn]] static void fail_absent(const std::string& dataset, const std::string& path,
                                     const std::vector<Hdf5Description>& found) {
    std::vector<std::string> names;
    for (const Hdf5Description& data : found) names.push_back(data.name);
    const std::vector<std::string> close = nearest(dataset, names);
    const std::string hint = names.empty() ? ""
                                           : fmt::format("--dataset {0}, or --set data.dataset={0} in training",
                                                         (close.empty() ? names : close).front());
    throw Error(ExitCode::data, fmt::format("no dataset '{}' in {}; found: {}", dataset, path, list_text(found)), "",
                hint);
}

Hdf5Description Hdf5File::describe(const std::string& dataset) const {
    const Hdf5Lock lock;
    if (impl_->open.count(dataset) == 0 && !has(dataset)) fail_absent(dataset, impl_->path, list());
    return impl_->dataset(dataset).description;
}

Hdf5File::Impl::Open& Hdf5File::Impl::dataset(const std::string& name) {
    const auto known = open.find(name);
    if (known != open.end()) return known->second;
    Hdf5Handle set(H5Dopen2(file.id(), name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!set) fail_hdf5(path, "open dataset " + name);
    const Hdf5Description data = describe_hdf5(set.id(), name);
    check_hdf5(set.id(), data, bytes, path);
    constexpr std::size_t kMostOpen = 64;
    if (open.size() >= kMostOpen) close_all();
    std::unique_ptr<Hdf5Chunks> chunks = Hdf5Chunks::of(set.id(), data);
    if (!data.chunk.empty() && chunks == nullptr) {
        const std::int64_t cache = cache_bytes(data, data.numeric ? size_of(data.stored) : 1, cache_limit);
        if (cached + cache > cache_limit) close_all();
        set = with_cache(std::move(set), name, file.id(), cache);
        if (!set) fail_hdf5(path, "open dataset " + name);
        cached += cache;
    }
    return open[name] = {std::move(set), data, std::move(chunks)};
}

void Hdf5File::Impl::close_all() {
    decoded.clear();
    open.clear();
    cached = 0;
}

void Hdf5File::read(const std::string& dataset, const std::vector<std::int64_t>& start,
                    const std::vector<std::int64_t>& count, void* out) const {
    const Hdf5Lock lock;
    const Impl::Open& opened = impl_->dataset(dataset);
    const Hdf5Description& data = opened.description;
    if (!data.numeric)
        throw Error(ExitCode::data, fmt::format("{} holds {} values, expected numbers", dataset, data.type));
    if (start.size() != data.shape.size() || count.size() != data.shape.size()) {
        throw Error(ExitCode::internal, fmt::format("a block of {} dimensions of {}", count.size(), dataset));
    }
    if (opened.chunks != nullptr) {
        opened.chunks->read(opened.set.id(), start, count, static_cast<char*>(out), impl_->decoded, impl_->path);
        return;
    }
    const std::vector<hsize_t> first(start.begin(), start.end());
    const std::vector<hsize_t> size(count.begin(), count.end());
    const Hdf5Handle from(H5Dget_space(opened.set.id()), H5Sclose);
    const Hdf5Handle into(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
    const Hdf5Handle type = data.as_stored ? Hdf5Handle(H5Dget_type(opened.set.id()), H5Tclose)
                                           : Hdf5Handle(H5Tcopy(native_hdf5_type(data.stored)), H5Tclose);
    if (H5Sselect_hyperslab(from.id(), H5S_SELECT_SET, first.data(), nullptr, size.data(), nullptr) < 0 ||
        H5Dread(opened.set.id(), type.id(), into.id(), from.id(), H5P_DEFAULT, out) < 0) {
        fail_hdf5(impl_->path, fmt::format("read {} from {} on", dataset, shape_text(start)));
    }
}

std::vector<double> Hdf5File::vector(const std::string& dataset) const {
    const Hdf5Lock lock;
    constexpr std::int64_t kMost = 1 << 24;
    const Impl::Open& opened = impl_->dataset(dataset);
    const Hdf5Description& data = opened.description;
    if (!data.numeric || data.shape.size() != 1 || data.shape[0] > kMost) {
        throw Error(ExitCode::data, fmt::format("{} of {} is {} {}, expected a vector of at most {} numbers", dataset,
                                                impl_->path, shape_text(data.shape), data.type, kMost));
    }
    std::vector<double> out(static_cast<std::size_t>(data.shape[0]));
    if (!out.empty() && H5Dread(opened.set.id(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0) {
        fail_hdf5(impl_->path, "read " + dataset);
    }
    return out;
}

std::vector<std::string> Hdf5File::scales(const std::string& dataset) const {
    const Hdf5Lock lock;
    const Impl::Open& opened = impl_->dataset(dataset);
    const auto first = [](hid_t, unsigned, hid_t scale, void* name) -> herr_t {
        char text[256] = "";
        if (H5Iget_name(scale, text, sizeof text) > 0) *static_cast<std::string*>(name) = text;
        return 1;
    };
    std::vector<std::string> out(opened.description.shape.size());
    if (H5Aexists(opened.set.id(), "DIMENSION_LIST") <= 0) return out;
    for (std::size_t i = 0; i < out.size(); ++i) {
        H5DSiterate_scales(opened.set.id(), static_cast<unsigned>(i), nullptr, first, &out[i]);
    }
    return out;
}

}  // namespace nowcell
