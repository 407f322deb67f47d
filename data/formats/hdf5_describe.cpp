#include "data/formats/frame_layout.h"
#include "data/formats/hdf5_handle.h"
#include "src/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace nowcell {
namespace {

constexpr std::int64_t kSuspectBytes = std::int64_t{4} << 30;  // Keras' guard against decompression bombs
constexpr std::int64_t kSuspectRatio = 1000;

// An enumeration counts as the integers that it stands for: h5py writes truth values so.
Hdf5Handle number_type(hid_t type) {
    const bool enumerated = H5Tget_class(type) == H5T_ENUM;
    return {enumerated ? H5Tget_super(type) : H5Tcopy(type), H5Tclose};
}

bool is_half(hid_t type) {
    std::size_t sign = 0, exponent = 0, exponent_bits = 0, fraction = 0, fraction_bits = 0;
    return H5Tget_size(type) == 2 &&
           H5Tget_fields(type, &sign, &exponent, &exponent_bits, &fraction, &fraction_bits) >= 0 && sign == 15 &&
           exponent == 10 && exponent_bits == 5 && fraction == 0 && fraction_bits == 10 && H5Tget_ebias(type) == 15 &&
           H5Tget_norm(type) == H5T_NORM_IMPLIED;
}

bool is_plain_integer(hid_t type) {
    const std::size_t size = H5Tget_size(type);
    return (size == 1 || size == 2 || size == 4 || size == 8) && H5Tget_precision(type) == 8 * size &&
           H5Tget_offset(type) == 0;
}

bool is_plain_real(hid_t type) {
    return is_half(type) || H5Tequal(type, H5T_IEEE_F32LE) > 0 || H5Tequal(type, H5T_IEEE_F32BE) > 0 ||
           H5Tequal(type, H5T_IEEE_F64LE) > 0 || H5Tequal(type, H5T_IEEE_F64BE) > 0;
}

StoredType integer_of(std::size_t size, bool is_unsigned) {
    if (size <= 1) return is_unsigned ? StoredType::u8 : StoredType::i8;
    if (size <= 2) return is_unsigned ? StoredType::u16 : StoredType::i16;
    if (size <= 4) return is_unsigned ? StoredType::u32 : StoredType::i32;
    return is_unsigned ? StoredType::u64 : StoredType::i64;
}

void describe_number(hid_t type, Hdf5Description& out) {
    const Hdf5Handle number = number_type(type);
    const std::size_t size = H5Tget_size(number.id());
    const H5T_class_t kind = H5Tget_class(number.id());
    out.numeric = (kind == H5T_INTEGER && size <= 8) || kind == H5T_FLOAT;
    if (!out.numeric) return;
    if (kind == H5T_INTEGER) {
        out.stored = integer_of(size, H5Tget_sign(number.id()) == H5T_SGN_NONE);
        out.as_stored = is_plain_integer(number.id());
    } else {
        out.stored = is_half(number.id()) ? StoredType::f16 : size <= 4 ? StoredType::f32 : StoredType::f64;
        out.as_stored = is_plain_real(number.id());
    }
    out.swapped = out.as_stored && size > 1 && H5Tget_order(number.id()) != H5Tget_order(H5T_NATIVE_INT);
}

// h5py's: an enumeration of FALSE and TRUE.
bool is_truth(hid_t type) {
    unsigned char value[8] = {};
    return H5Tget_nmembers(type) == 2 && H5Tget_size(type) == 1 && H5Tenum_valueof(type, "TRUE", value) >= 0;
}

std::string type_name(hid_t type) {
    switch (H5Tget_class(type)) {
        case H5T_INTEGER:
            return fmt::format("{}int{}", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", 8 * H5Tget_size(type));
        case H5T_FLOAT: return fmt::format("float{}", 8 * H5Tget_size(type));
        case H5T_STRING: return "string";
        case H5T_COMPOUND: return "compound";
        case H5T_ENUM: return is_truth(type) ? "bool" : "enum";
        case H5T_ARRAY: return "array";
        case H5T_VLEN: return "variable-length";
        case H5T_REFERENCE: return "reference";
        case H5T_OPAQUE: return "opaque";
        case H5T_BITFIELD: return "bit field";
        default: return "unknown type";
    }
}

std::string filter_name(H5Z_filter_t id, const std::string& stored) {
    static const std::map<H5Z_filter_t, std::string> known = {{H5Z_FILTER_DEFLATE, "gzip"},
                                                              {H5Z_FILTER_SHUFFLE, "shuffle"},
                                                              {H5Z_FILTER_FLETCHER32, "fletcher32"},
                                                              {H5Z_FILTER_SZIP, "szip"},
                                                              {H5Z_FILTER_NBIT, "nbit"},
                                                              {H5Z_FILTER_SCALEOFFSET, "scaleoffset"},
                                                              {307, "bzip2"},
                                                              {32000, "lzf"},
                                                              {32001, "blosc"},
                                                              {32004, "lz4"},
                                                              {32008, "bitshuffle"},
                                                              {32013, "zfp"},
                                                              {32015, "zstd"},
                                                              {32017, "sz"},
                                                              {32026, "blosc2"}};
    const auto found = known.find(id);
    return found != known.end() ? found->second : stored.empty() ? "unknown" : stored;
}

struct Filter {
    H5Z_filter_t id;
    std::string name;
    unsigned level;
};

std::vector<Filter> filters_of(hid_t layout) {
    std::vector<Filter> out;
    for (int i = 0; i < H5Pget_nfilters(layout); ++i) {
        unsigned flags = 0;
        unsigned settings = 0;
        unsigned values[1] = {0};
        std::size_t count = 1;
        char name[64] = "";
        const H5Z_filter_t id =
            H5Pget_filter2(layout, static_cast<unsigned>(i), &flags, &count, values, sizeof name, name, &settings);
        if (id >= 0) out.push_back({id, filter_name(id, std::string(name, strnlen(name, sizeof name))), values[0]});
    }
    return out;
}

std::string filter_text(hid_t layout) {
    std::string out;
    for (const Filter& filter : filters_of(layout)) {
        if (!out.empty()) out += ", ";
        out += filter.name;
        if (filter.id == H5Z_FILTER_DEFLATE) out += fmt::format(" {}", filter.level);
    }
    return out.empty() ? "none" : out;
}

std::vector<std::int64_t> shape_of(hid_t set) {
    const Hdf5Handle space(H5Dget_space(set), H5Sclose);
    hsize_t shape[H5S_MAX_RANK] = {};
    const int rank = H5Sget_simple_extent_dims(space.id(), shape, nullptr);
    std::vector<std::int64_t> out;
    for (int i = 0; i < rank; ++i) out.push_back(static_cast<std::int64_t>(std::min<hsize_t>(shape[i], INT64_MAX)));
    return out;
}

std::vector<std::int64_t> chunk_of(hid_t layout) {
    if (H5Pget_layout(layout) != H5D_CHUNKED) return {};
    hsize_t chunk[H5S_MAX_RANK] = {};
    const int rank = H5Pget_chunk(layout, H5S_MAX_RANK, chunk);
    std::vector<std::int64_t> out;
    for (int i = 0; i < rank; ++i) out.push_back(static_cast<std::int64_t>(chunk[i]));
    return out;
}

std::string filter_hint(H5Z_filter_t id) {
    static const std::map<H5Z_filter_t, std::string> packages = {{307, "hdf5-filter-plugin"},
                                                                 {32001, "hdf5-filter-plugin-blosc-serial"},
                                                                 {32004, "hdf5-filter-plugin"},
                                                                 {32008, "bitshuffle"},
                                                                 {32013, "hdf5-filter-plugin-zfp-serial"}};
    const auto found = packages.find(id);
    const std::string repack = "repack where it can be read: h5repack -f GZIP=4 in.h5 out.h5";
    if (found == packages.end()) return repack;
    return fmt::format("install Debian's {} and set HDF5_PLUGIN_PATH to its plugins, or {}", found->second, repack);
}

void check_filters(hid_t layout, const std::string& name) {
    for (const Filter& filter : filters_of(layout)) {
        if (H5Zfilter_avail(filter.id) > 0) continue;
        throw Error(ExitCode::data,
                    fmt::format("dataset '{}' is compressed with filter {} ({}), not available in this HDF5 {}", name,
                                filter.id, filter.name, hdf5_version()),
                    "", filter_hint(filter.id));
    }
}

void check_storage(hid_t layout, const std::string& name) {
    const bool elsewhere = H5Pget_layout(layout) == H5D_VIRTUAL || H5Pget_external_count(layout) > 0;
    if (!elsewhere) return;
    throw Error(ExitCode::data,
                fmt::format("dataset '{}' keeps its values in other files, which is not supported", name), "",
                "make one file of it: h5repack in.h5 out.h5");
}

// Declared bytes, or -1 when they do not fit 64 bits.
std::int64_t declared_bytes(const Hdf5Description& data, std::size_t value_bytes) {
    auto total = static_cast<std::int64_t>(value_bytes);
    for (const std::int64_t size : data.shape) {
        if (__builtin_mul_overflow(total, size, &total)) return -1;
    }
    return total;
}

void check_size(const Hdf5Description& data, std::size_t value_bytes, std::int64_t file_bytes,
                const std::string& path) {
    const std::int64_t declared = declared_bytes(data, value_bytes);
    const bool absurd = declared < 0 || (declared > kSuspectBytes && declared / kSuspectRatio > data.stored_bytes);
    if (!absurd && data.stored_bytes <= file_bytes) return;
    throw Error(
        ExitCode::data,
        fmt::format("dataset '{}' of {} declares {} {} values but the file holds {} bytes of it: refused as damaged "
                    "or hostile",
                    data.name, path, shape_text(data.shape), data.type, std::min(data.stored_bytes, file_bytes)));
}

}  // namespace

Hdf5Description describe_hdf5(hid_t set, const std::string& name) {
    const Hdf5Handle type(H5Dget_type(set), H5Tclose);
    const Hdf5Handle layout(H5Dget_create_plist(set), H5Pclose);
    Hdf5Description out;
    out.name = name;
    out.type = type_name(type.id());
    out.shape = shape_of(set);
    out.chunk = chunk_of(layout.id());
    out.filters = filter_text(layout.id());
    out.stored_bytes = static_cast<std::int64_t>(std::min<hsize_t>(H5Dget_storage_size(set), INT64_MAX));
    describe_number(type.id(), out);
    return out;
}

void check_hdf5(hid_t set, const Hdf5Description& data, std::int64_t file_bytes, const std::string& path) {
    const Hdf5Handle type(H5Dget_type(set), H5Tclose);
    const Hdf5Handle layout(H5Dget_create_plist(set), H5Pclose);
    check_storage(layout.id(), data.name);
    check_filters(layout.id(), data.name);
    check_size(data, H5Tget_size(type.id()), file_bytes, path);
}

std::string list_text(const std::vector<Hdf5Description>& datasets) {
    std::string out;
    for (const Hdf5Description& data : datasets) {
        if (out.size() > 600) return out + ", ...";
        out += fmt::format("{}{} {} {}", out.empty() ? "" : ", ", data.name, shape_text(data.shape), data.type);
    }
    return out.empty() ? "no datasets" : out;
}

}  // namespace nowcell
