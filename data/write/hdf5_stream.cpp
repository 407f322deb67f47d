#include "data/write/hdf5_stream.h"

#include "data/formats/frame_layout.h"
#include "data/write/disk_space.h"
#include "data/write/hdf5_write.h"
#include "src/error.h"
#include "src/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5_hl.h>
#include <unistd.h>

#include <filesystem>

namespace nowcell {
namespace {

constexpr unsigned kDeflateLevel = 4;
constexpr std::int64_t kMetadataBytes = 128 << 10;  // headers and attributes
constexpr std::int64_t kChunkOverheadBytes = 1024;  // entry in the index, checksum, what deflate adds at worst

std::vector<hsize_t> sizes_of(const std::vector<std::int64_t>& sizes) { return {sizes.begin(), sizes.end()}; }

}  // namespace

struct Hdf5Stream::Impl {
    struct Dataset {
        Hdf5Handle set;
        hid_t type;
        std::vector<std::int64_t> chunk;
        std::int64_t value_bytes;
    };

    Impl(const std::string& temporary, std::string path_)
        : path(std::move(path_)), descriptor(::open(temporary.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
        if (descriptor < 0) throw std::system_error(errno, std::generic_category());
    }
    ~Impl() {
        const Hdf5Lock lock;
        datasets.clear();
        scales.clear();
        file = Hdf5Handle();
        ::close(descriptor);
    }

    std::int64_t file_bytes() const {
        hsize_t size = 0;
        if (H5Fget_filesize(file.id(), &size) < 0) fail_hdf5_write(path, "measuring the file");
        return static_cast<std::int64_t>(size);
    }

    // Room for the chunks that a block of this shape touches when it begins at a chunk.
    std::int64_t bytes_of(const Dataset& data, torch::IntArrayRef block) const {
        std::int64_t chunks = 1;
        std::int64_t bytes = data.value_bytes;
        for (std::size_t i = 0; i < data.chunk.size(); ++i) {
            chunks *= (block[i] + data.chunk[i] - 1) / data.chunk[i];
            bytes *= data.chunk[i];
        }
        return chunks * (bytes + kChunkOverheadBytes);
    }

    Hdf5Handle storage(const Hdf5Target& target) const {
        Hdf5Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
        H5Pset_obj_track_times(layout.id(), false);  // the same content is the same bytes
        const std::vector<hsize_t> chunk = sizes_of(target.chunk);
        if (H5Pset_chunk(layout.id(), static_cast<int>(chunk.size()), chunk.data()) < 0 ||
            H5Pset_shuffle(layout.id()) < 0 || H5Pset_deflate(layout.id(), kDeflateLevel) < 0 ||
            H5Pset_fletcher32(layout.id()) < 0 ||
            (target.fill && H5Pset_fill_value(layout.id(), H5T_NATIVE_DOUBLE, &*target.fill) < 0)) {
            fail_hdf5_write(path, "chunking " + target.name);
        }
        return layout;
    }

    // NetCDF wants it in the type of the values.
    void put_fill(hid_t set, hid_t type, double fill) const {
        const Hdf5Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
        const Hdf5Handle made(H5Acreate2(set, "_FillValue", type, scalar.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
        if (!made || H5Awrite(made.id(), H5T_NATIVE_DOUBLE, &fill) < 0) fail_hdf5_write(path, "attribute _FillValue");
    }

    std::string path;
    int descriptor;
    DiskSpace space{descriptor, path};
    Hdf5Handle file;
    std::map<std::string, Hdf5Handle> scales;
    std::map<std::string, hsize_t> sizes;
    std::map<std::string, Dataset> datasets;
};

Hdf5Stream::Hdf5Stream(const std::string& temporary, const std::string& path)
    : impl_(std::make_unique<Impl>(temporary, path)) {
    const Hdf5Lock lock;
    impl_->space.reserve(kMetadataBytes);
    const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_libver_bounds(access.id(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    H5Pset_file_locking(access.id(), true, true);  // network mounts without locks are still written
    impl_->file = Hdf5Handle(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose);
    if (!impl_->file) fail_hdf5_write(path, "making the file");
}

Hdf5Stream::~Hdf5Stream() = default;

void Hdf5Stream::add(const Hdf5Dimension& dimension) {
    const Hdf5Lock lock;
    const bool empty = dimension.values.empty();
    impl_->space.reserve(impl_->file_bytes() + kMetadataBytes +
                         static_cast<std::int64_t>(dimension.values.size() * sizeof(double)));
    const auto size = static_cast<hsize_t>(dimension.size);
    const Hdf5Handle extent(H5Screate_simple(1, &size, nullptr), H5Sclose);
    const Hdf5Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_obj_track_times(layout.id(), false);
    Hdf5Handle set(H5Dcreate2(impl_->file.id(), dimension.name.c_str(), empty ? H5T_IEEE_F32BE : H5T_NATIVE_DOUBLE,
                              extent.id(), H5P_DEFAULT, layout.id(), H5P_DEFAULT),
                   H5Dclose);
    // NetCDF's own words for a dimension that has no coordinates.
    const std::string name =
        empty ? fmt::format("This is a netCDF dimension but not a netCDF variable. {:10}", size) : dimension.name;
    if (!set || H5DSset_scale(set.id(), name.c_str()) < 0 ||
        (!empty && H5Dwrite(set.id(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, dimension.values.data()) < 0)) {
        fail_hdf5_write(impl_->path, "dimension " + dimension.name);
    }
    put_hdf5_attributes(set.id(), dimension.attributes, impl_->path);
    impl_->scales[dimension.name] = std::move(set);
    impl_->sizes[dimension.name] = size;
}

void Hdf5Stream::add(const Hdf5Target& target) {
    const Hdf5Lock lock;
    impl_->space.reserve(impl_->file_bytes() + kMetadataBytes);
    const hid_t type = hdf5_type(target.type);
    std::vector<hsize_t> shape;
    for (const std::string& name : target.dimensions) shape.push_back(impl_->sizes.at(name));
    const Hdf5Handle extent(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
    const Hdf5Handle layout = impl_->storage(target);
    const Hdf5Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    H5Pset_chunk_cache(access.id(), 1, 0, H5D_CHUNK_CACHE_W0_DEFAULT);  // each chunk is written once
    Hdf5Handle set(
        H5Dcreate2(impl_->file.id(), target.name.c_str(), type, extent.id(), H5P_DEFAULT, layout.id(), access.id()),
        H5Dclose);
    if (!set) fail_hdf5_write(impl_->path, "making " + target.name);
    for (std::size_t i = 0; target.scales && i < target.dimensions.size(); ++i) {
        if (H5DSattach_scale(set.id(), impl_->scales.at(target.dimensions[i]).id(), static_cast<unsigned>(i)) < 0) {
            fail_hdf5_write(impl_->path, "dimensions of " + target.name);
        }
    }
    if (target.fill) impl_->put_fill(set.id(), type, *target.fill);
    put_hdf5_attributes(set.id(), target.attributes, impl_->path);
    const auto value_bytes = static_cast<std::int64_t>(H5Tget_size(type));
    impl_->datasets[target.name] = {std::move(set), type, target.chunk, value_bytes};
}

void Hdf5Stream::write(const std::string& name, const std::vector<std::int64_t>& start, const torch::Tensor& block) {
    const Hdf5Lock lock;
    const Impl::Dataset& data = impl_->datasets.at(name);
    impl_->space.reserve(impl_->file_bytes() + kMetadataBytes + impl_->bytes_of(data, block.sizes()));
    const torch::Tensor values = block.contiguous();
    const std::vector<hsize_t> first = sizes_of(start);
    const std::vector<hsize_t> count = sizes_of(block.sizes().vec());
    const Hdf5Handle into(H5Dget_space(data.set.id()), H5Sclose);
    const Hdf5Handle from(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(into.id(), H5S_SELECT_SET, first.data(), nullptr, count.data(), nullptr) < 0 ||
        H5Dwrite(data.set.id(), data.type, from.id(), into.id(), H5P_DEFAULT, values.const_data_ptr()) < 0) {
        fail_hdf5_write(impl_->path, fmt::format("writing {} from {} on", name, shape_text(start)));
    }
}

void Hdf5Stream::close(const std::map<std::string, Attribute>& file_attributes) {
    const Hdf5Lock lock;
    impl_->space.reserve(impl_->file_bytes() + kMetadataBytes);
    put_hdf5_attributes(impl_->file.id(), file_attributes, impl_->path);
    impl_->datasets.clear();
    impl_->scales.clear();
    if (H5Fflush(impl_->file.id(), H5F_SCOPE_GLOBAL) < 0) fail_hdf5_write(impl_->path, "flushing");
    const std::int64_t size = impl_->file_bytes();
    impl_->file = Hdf5Handle();
    impl_->space.release_beyond(size);
}

void stream_hdf5(const std::string& path, const std::function<void(Hdf5Stream&)>& fill) {
    write_atomically(path, [&](const std::string& temporary) {
        Hdf5Stream stream(temporary, path);
        fill(stream);
    });
}

}  // namespace nowcell
