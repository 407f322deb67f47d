#include "data/write/hdf5_io.h"

#include "data/write/hdf5_write.h"
#include "src/error.h"
#include "src/files.h"

#include <fmt/format.h>

namespace nowcell {
namespace {

constexpr unsigned kGzipLevel = 4;

// One attribute of an object, new.
void put(hid_t object, const std::string& name, hid_t type, const Hdf5Handle& space, const void* value,
         const std::string& path) {
    const Hdf5Handle made(H5Acreate2(object, name.c_str(), type, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    const bool empty = H5Sget_simple_extent_npoints(space.id()) == 0;
    if (!made || (!empty && H5Awrite(made.id(), type, value) < 0)) fail_hdf5_write(path, "attribute " + name);
}

// Puts one file together; `path` serves messages only.
class Writer {
 public:
    explicit Writer(std::string path) : path_(std::move(path)) {
        const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
        constexpr std::size_t kGrowth = 1 << 20;
        H5Pset_fapl_core(access.id(), kGrowth, false);
        H5Pset_libver_bounds(access.id(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
        // The name is never used for a file, but libhdf5 refuses to open one name twice.
        file_ = Hdf5Handle(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose);
        if (!file_) fail_hdf5_write(path_, "making the file");
    }

    void dataset(const Hdf5Dataset& data) const {
        const hid_t type = hdf5_type(data.values.scalar_type());
        if (type < 0 || data.values.dim() < 1) {
            throw Error(ExitCode::internal, fmt::format("cannot write {}{}: unfit type or rank", path_, data.name));
        }
        const std::vector<hsize_t> shape(data.values.sizes().begin(), data.values.sizes().end());
        const Hdf5Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
        const Hdf5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
        H5Pset_create_intermediate_group(links.id(), 1);
        const Hdf5Handle layout = storage(data);
        const Hdf5Handle set(
            H5Dcreate2(file_.id(), data.name.c_str(), type, space.id(), links.id(), layout.id(), H5P_DEFAULT),
            H5Dclose);
        if (!set) fail_hdf5_write(path_, "making " + data.name);
        const torch::Tensor values = data.values.contiguous();
        if (H5Dwrite(set.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.const_data_ptr()) < 0) {
            fail_hdf5_write(path_, "writing " + data.name);
        }
        put_hdf5_attributes(set.id(), data.attributes, path_);
    }

    std::string image() const {
        if (H5Fflush(file_.id(), H5F_SCOPE_GLOBAL) < 0) fail_hdf5_write(path_, "flushing");
        const ssize_t size = H5Fget_file_image(file_.id(), nullptr, 0);
        if (size <= 0) fail_hdf5_write(path_, "measuring");
        std::string bytes(static_cast<std::size_t>(size), '\0');
        if (H5Fget_file_image(file_.id(), bytes.data(), bytes.size()) != size) fail_hdf5_write(path_, "copying");
        return bytes;
    }

    hid_t root() const { return file_.id(); }

 private:
    Hdf5Handle storage(const Hdf5Dataset& data) const {
        Hdf5Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
        H5Pset_obj_track_times(layout.id(), false);  // the same content is the same bytes
        if (data.chunk.empty() || data.values.numel() == 0) return layout;
        const std::vector<hsize_t> chunk(data.chunk.begin(), data.chunk.end());
        bool good = H5Pset_chunk(layout.id(), static_cast<int>(chunk.size()), chunk.data()) >= 0;
        if (data.compress) {
            good = good && H5Pset_shuffle(layout.id()) >= 0 && H5Pset_deflate(layout.id(), kGzipLevel) >= 0 &&
                   H5Pset_fletcher32(layout.id()) >= 0;
        }
        if (!good) fail_hdf5_write(path_, "chunking " + data.name);
        return layout;
    }

    std::string path_;
    Hdf5Handle file_;
};

}  // namespace

void fail_hdf5_write(const std::string& path, const std::string& step) {
    const std::string reason = hdf5_reason();
    throw Error(ExitCode::output,
                fmt::format("cannot write {}: {} failed{}", path, step, reason.empty() ? "" : ": " + reason));
}

hid_t hdf5_type(torch::ScalarType type) {
    switch (type) {
        case torch::kUInt8: return H5T_NATIVE_UINT8;
        case torch::kInt8: return H5T_NATIVE_INT8;
        case torch::kUInt16: return H5T_NATIVE_UINT16;
        case torch::kInt16: return H5T_NATIVE_INT16;
        case torch::kUInt32: return H5T_NATIVE_UINT32;
        case torch::kInt32: return H5T_NATIVE_INT32;
        case torch::kUInt64: return H5T_NATIVE_UINT64;
        case torch::kInt64: return H5T_NATIVE_INT64;
        case torch::kFloat32: return H5T_NATIVE_FLOAT;
        case torch::kFloat64: return H5T_NATIVE_DOUBLE;
        default: return -1;
    }
}

void put_hdf5_attributes(hid_t object, const std::map<std::string, Attribute>& values, const std::string& path) {
    for (const auto& [name, value] : values) {
        if (const auto* text = std::get_if<std::string>(&value)) {
            const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
            H5Tset_size(type.id(), text->size() + 1);
            H5Tset_cset(type.id(), H5T_CSET_UTF8);
            put(object, name, type.id(), Hdf5Handle(H5Screate(H5S_SCALAR), H5Sclose), text->c_str(), path);
        } else if (const auto* number = std::get_if<double>(&value)) {
            put(object, name, H5T_NATIVE_DOUBLE, Hdf5Handle(H5Screate(H5S_SCALAR), H5Sclose), number, path);
        } else {
            const auto& list = std::get<std::vector<double>>(value);
            const hsize_t count = list.size();
            put(object, name, H5T_NATIVE_DOUBLE, Hdf5Handle(H5Screate_simple(1, &count, nullptr), H5Sclose),
                list.data(), path);
        }
    }
}

torch::Tensor read_hdf5(const std::string& path, const std::string& dataset) {
    const Hdf5File file(path);
    const Hdf5Description data = file.describe(dataset);
    static const std::map<StoredType, torch::ScalarType> types = {
        {StoredType::u8, torch::kUInt8},    {StoredType::i8, torch::kInt8},    {StoredType::u16, torch::kUInt16},
        {StoredType::i16, torch::kInt16},   {StoredType::u32, torch::kUInt32}, {StoredType::i32, torch::kInt32},
        {StoredType::u64, torch::kUInt64},  {StoredType::i64, torch::kInt64},  {StoredType::f16, torch::kFloat16},
        {StoredType::f32, torch::kFloat32}, {StoredType::f64, torch::kFloat64}};
    if (!data.numeric || data.swapped) {
        throw Error(ExitCode::data,
                    fmt::format("{} of {}: expected numbers in this machine's byte order", dataset, path));
    }
    torch::Tensor values = torch::empty(data.shape, types.at(data.stored));
    file.read(dataset, std::vector<std::int64_t>(data.shape.size(), 0), data.shape, values.data_ptr());
    return values;
}

void write_hdf5(const std::string& path, const std::vector<Hdf5Dataset>& datasets,
                const std::map<std::string, Attribute>& file_attributes) {
    std::string bytes;
    {
        const Hdf5Lock lock;
        const Writer writer(path);
        put_hdf5_attributes(writer.root(), file_attributes, path);
        for (const Hdf5Dataset& data : datasets) writer.dataset(data);
        bytes = writer.image();
    }
    write_atomically(path, bytes);
}

}  // namespace nowcell
