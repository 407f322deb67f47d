#include "data/hdf5_handle.h"
#include "src/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace nowcell {
namespace {

// Row 11 of the error table when the reason speaks of versions, else what libhdf5 says.
[[noreturn]] void fail(const std::string& path, const std::string& what) {
    const std::string reason = hdf5_reason();
    if (reason.find("version") != std::string::npos) {
        throw Error(ExitCode::data,
                    fmt::format("{} uses a format newer than HDF5 {} can read ({})", path, hdf5_version(), reason), "",
                    "write it with libver='earliest', or run h5repack where it was made");
    }
    throw Error(
        ExitCode::data,
        fmt::format("cannot {}: {} is damaged or incomplete{}", what, path, reason.empty() ? "" : " (" + reason + ")"),
        "", "copy or download the file again; 'h5debug' and 'h5dump -H' say more");
}

// The narrowest type of ours that holds every value of a stored type.
torch::ScalarType memory_type(const std::string& name) {
    const bool is_unsigned = name.front() == 'u';
    const int bits = std::stoi(name.substr(name.find_first_of("0123456789")));
    if (name.front() == 'f') return bits <= 32 ? torch::kFloat32 : torch::kFloat64;
    if (bits <= 8) return is_unsigned ? torch::kUInt8 : torch::kInt8;
    if (bits <= 16) return is_unsigned ? torch::kUInt16 : torch::kInt16;
    if (bits <= 32) return is_unsigned ? torch::kUInt32 : torch::kInt32;
    return is_unsigned ? torch::kUInt64 : torch::kInt64;
}

herr_t refuse_to_leave(const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) { return -1; }

// Room for the chunks under two frames, so that reading frame after frame inflates each chunk once.
std::size_t cache_bytes(const Hdf5Description& data, std::size_t value_bytes) {
    constexpr double kLeast = 1 << 20;
    constexpr double kMost = 256 << 20;
    const std::size_t leading =
        std::max<std::size_t>(1, data.chunk.size() - std::min<std::size_t>(data.chunk.size(), 3));
    double bytes = 2.0 * static_cast<double>(value_bytes);
    for (std::size_t i = 0; i < data.chunk.size(); ++i) {
        const std::int64_t side = std::max<std::int64_t>(1, data.chunk[i]);
        const std::int64_t chunks = i < leading ? 1 : data.shape[i] / side + 1;
        bytes *= static_cast<double>(data.chunk[i]) * static_cast<double>(chunks);
    }
    return static_cast<std::size_t>(std::clamp(bytes, kLeast, kMost));
}

// The same dataset again, with a chunk cache that suits it.
Hdf5Handle with_cache(Hdf5Handle set, const Hdf5Description& data, hid_t file) {
    if (data.chunk.empty()) return set;
    const Hdf5Handle type(H5Dget_type(set.id()), H5Tclose);
    const Hdf5Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    constexpr std::size_t kSlots = 12421;  // prime, far more than the chunks that fit
    H5Pset_chunk_cache(access.id(), kSlots, cache_bytes(data, H5Tget_size(type.id())), H5D_CHUNK_CACHE_W0_DEFAULT);
    H5Pset_elink_cb(access.id(), refuse_to_leave, nullptr);
    set = Hdf5Handle();
    return Hdf5Handle(H5Dopen2(file, data.name.c_str(), access.id()), H5Dclose);
}

struct Listing {
    hid_t file;
    std::vector<Hdf5Description> found;
};

herr_t visit(hid_t, const char* name, const H5O_info_t* object, void* context) {
    auto& listing = *static_cast<Listing*>(context);
    if (object->type != H5O_TYPE_DATASET) return 0;
    const Hdf5Handle set(H5Dopen2(listing.file, name, H5P_DEFAULT), H5Dclose);
    if (set) listing.found.push_back(describe_hdf5(set.id(), "/" + std::string(name)));
    return 0;
}

}  // namespace

Hdf5File::Hdf5File(const std::string& path) : impl_(std::make_unique<Impl>()) {
    const Hdf5Lock lock;
    impl_->path = path;
    std::error_code ignored;
    impl_->bytes = static_cast<std::int64_t>(std::filesystem::file_size(path, ignored));
    impl_->links = Hdf5Handle(H5Pcreate(H5P_LINK_ACCESS), H5Pclose);
    H5Pset_elink_cb(impl_->links.id(), refuse_to_leave, nullptr);
    const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_file_locking(access.id(), true, true);  // network mounts without locks are still read
    impl_->file = Hdf5Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
    if (!impl_->file) fail(path, "open HDF5 file");
}

Hdf5File::~Hdf5File() {
    const Hdf5Lock lock;
    impl_.reset();
}

std::vector<Hdf5Description> Hdf5File::list() const {
    const Hdf5Lock lock;
    Listing listing{impl_->file.id(), {}};
    // Follows hard links only, each object once: no way out of the file and no cycles.
    const herr_t status = H5Ovisit2(impl_->file.id(), H5_INDEX_NAME, H5_ITER_INC, visit, &listing, H5O_INFO_BASIC);
    if (status < 0) fail(impl_->path, "list the datasets");
    return std::move(listing.found);
}

bool Hdf5File::has(const std::string& dataset) const {
    const Hdf5Lock lock;
    H5O_info_t object{};
    return H5Oget_info_by_name2(impl_->file.id(), dataset.c_str(), &object, H5O_INFO_BASIC, impl_->links.id()) >= 0 &&
           object.type == H5O_TYPE_DATASET;
}

Hdf5Description Hdf5File::describe(const std::string& dataset) const {
    const Hdf5Lock lock;
    const auto known = impl_->open.find(dataset);
    if (known != impl_->open.end()) return known->second.description;
    if (!has(dataset)) {
        const std::vector<Hdf5Description> found = list();
        std::vector<std::string> names;
        for (const Hdf5Description& data : found) names.push_back(data.name);
        const std::vector<std::string> close = nearest(dataset, names);
        const std::string hint = close.empty() && names.empty()
                                     ? ""
                                     : fmt::format("--dataset {0}, or --set data.dataset={0} in training",
                                                   (close.empty() ? names : close).front());
        throw Error(ExitCode::data,
                    fmt::format("no dataset '{}' in {}; found: {}", dataset, impl_->path, list_text(found)), "", hint);
    }
    Hdf5Handle set(H5Dopen2(impl_->file.id(), dataset.c_str(), H5P_DEFAULT), H5Dclose);
    if (!set) fail(impl_->path, "open dataset " + dataset);
    const Hdf5Description data = describe_hdf5(set.id(), dataset);
    check_hdf5(set.id(), data, impl_->bytes, impl_->path);
    set = with_cache(std::move(set), data, impl_->file.id());
    if (!set) fail(impl_->path, "open dataset " + dataset);
    impl_->open[dataset] = {std::move(set), data};
    return data;
}

torch::Tensor Hdf5File::read(const std::string& dataset, const std::vector<std::int64_t>& start,
                             const std::vector<std::int64_t>& count) const {
    const Hdf5Lock lock;
    const Hdf5Description data = describe(dataset);
    if (!data.numeric)
        throw Error(ExitCode::data, fmt::format("{} holds {} values, expected numbers", dataset, data.type));
    const torch::Tensor values = torch::empty(count, memory_type(data.type));
    if (values.numel() == 0) return values;
    const hid_t set = impl_->open.at(dataset).set.id();
    const std::vector<hsize_t> first(start.begin(), start.end());
    const std::vector<hsize_t> size(count.begin(), count.end());
    const Hdf5Handle from(H5Dget_space(set), H5Sclose);
    const Hdf5Handle into(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
    if (size.size() != data.shape.size() || first.size() != size.size() ||
        H5Sselect_hyperslab(from.id(), H5S_SELECT_SET, first.data(), nullptr, size.data(), nullptr) < 0 ||
        H5Dread(set, native_hdf5_type(values.scalar_type()), into.id(), from.id(), H5P_DEFAULT, values.data_ptr()) <
            0) {
        fail(impl_->path, fmt::format("read {} from {} on", dataset, shape_text(start)));
    }
    return values;
}

}  // namespace nowcell
