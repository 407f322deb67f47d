// Every type, byte order, layout, packing and way of saying "missing" of HDF5 and NetCDF-4, read by open_frames.
#include "data/formats/frame_reader.h"
#include "data/formats/hdf5_file.h"
#include "src/error.h"
#include "tests/data/raw_hdf5.h"

#include <array>
#include <cmath>
#include <limits>
#include <map>

using namespace nowcell;

namespace {

const double kNan = std::nan("");

struct Type {
    std::string name;
    hid_t id;
};

std::vector<Type> types() {
    return {{"uint8", H5T_STD_U8LE},      {"int8", H5T_STD_I8BE},      {"uint16", H5T_STD_U16LE},
            {"uint16", H5T_STD_U16BE},    {"int16", H5T_STD_I16LE},    {"int16", H5T_STD_I16BE},
            {"uint32", H5T_STD_U32LE},    {"uint32", H5T_STD_U32BE},   {"int32", H5T_STD_I32LE},
            {"int32", H5T_STD_I32BE},     {"uint64", H5T_STD_U64LE},   {"uint64", H5T_STD_U64BE},
            {"int64", H5T_STD_I64LE},     {"int64", H5T_STD_I64BE},    {"float16", half_type(false)},
            {"float16", half_type(true)}, {"float32", H5T_IEEE_F32LE}, {"float32", H5T_IEEE_F32BE},
            {"float64", H5T_IEEE_F64LE},  {"float64", H5T_IEEE_F64BE}};
}

// Sizes of n, t, c, h, w; no two alike, so that no order is taken for another.
const std::map<char, hsize_t> kSizes = {{'n', 3}, {'t', 6}, {'c', 2}, {'h', 4}, {'w', 5}};

using Index = std::map<char, hsize_t>;

double value_at(Index at) {
    return static_cast<double>((at['n'] * 7 + at['t'] * 5 + at['c'] * 3 + at['h'] * 11 + at['w'] * 13) % 97);
}

// Goes through all positions of a layout in its stored order.
void for_each_position(const std::string& layout, const std::function<void(const Index&)>& action) {
    Index at;
    std::size_t total = 1;
    for (const char letter : layout) total *= kSizes.at(letter);
    for (std::size_t i = 0; i < total; ++i) {
        std::size_t rest = i;
        for (std::size_t k = layout.size(); k-- > 0; rest /= kSizes.at(layout[k]))
            at[layout[k]] = rest % kSizes.at(layout[k]);
        action(at);
    }
}

struct Missing {
    std::string name;
    std::function<void(hid_t set, hid_t type)> mark;
    std::function<bool(double stored)> is;
};

std::vector<Missing> ways_of_missing() {
    return {{"none", [](hid_t, hid_t) {}, [](double) { return false; }},
            {"_FillValue", [](hid_t set, hid_t type) { number_attribute(set, "_FillValue", {50}, type); },
             [](double v) { return v == 50; }},
            {"_FillValue and several missing_value",
             [](hid_t set, hid_t type) {
                 number_attribute(set, "_FillValue", {50}, type);
                 number_attribute(set, "missing_value", {60, 70}, type);
             },
             [](double v) { return v == 50 || v == 60 || v == 70; }},
            {"valid_range",
             [](hid_t set, hid_t type) {
                 number_attribute(set, "valid_range", {10, 90}, type);
             },
             [](double v) { return v < 10 || v > 90; }},
            {"valid_min and valid_max",
             [](hid_t set, hid_t type) {
                 number_attribute(set, "valid_min", {20}, type);
                 number_attribute(set, "valid_max", {80}, type);
             },
             [](double v) { return v < 20 || v > 80; }}};
}

hid_t chunked(const std::vector<hsize_t>& shape) {
    const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    std::vector<hsize_t> chunk;
    for (const hsize_t size : shape) chunk.push_back(size / 2 + 1);
    H5Pset_chunk(layout, static_cast<int>(chunk.size()), chunk.data());
    H5Pset_shuffle(layout);
    H5Pset_deflate(layout, 4);
    H5Pset_fletcher32(layout);
    return layout;
}

// Counts the values that come back wrong.
std::int64_t wrong_values(FrameReader& reader, const std::string& layout, const Missing& missing, double scale,
                          double offset) {
    const SourceInfo& info = reader.info();
    std::int64_t wrong = 0;
    for (std::size_t n = 0; n < info.frames.size(); ++n) {
        const std::int64_t first = info.frames[n] > 2 ? 1 : 0;
        const std::int64_t count = info.frames[n] - first;
        const std::int64_t plane = info.height * info.width;
        std::vector<float> out(static_cast<std::size_t>(count * info.channels * plane));
        const std::int64_t found = reader.read(static_cast<std::int64_t>(n), first, count, out.data());
        std::int64_t gone = 0;
        for (std::size_t i = 0; i < out.size(); ++i) {
            const auto k = static_cast<std::int64_t>(i);
            Index at;
            for (const char letter : layout) at[letter] = 0;
            const auto put = [&](char letter, std::int64_t value) {
                if (at.count(letter) > 0) at[letter] = static_cast<hsize_t>(value);
            };
            put('n', static_cast<std::int64_t>(n));
            put('t', first + k / (plane * info.channels));
            put('c', k / plane % info.channels);
            put('h', k / info.width % info.height);
            put('w', k % info.width);
            const double stored = value_at(at);
            const bool is_missing = missing.is(stored);
            gone += is_missing ? 1 : 0;
            const auto expected = static_cast<float>(stored * scale + offset);
            wrong += is_missing ? (std::isnan(out[i]) ? 0 : 1) : (out[i] == expected ? 0 : 1);
        }
        wrong += found == gone ? 0 : 1;
    }
    return wrong;
}

std::vector<float> all_values(const std::string& path) { return frames_of_recording(*opened(path)); }

// One frame of one row.
std::string one_frame(const TemporaryFolder& folder, hid_t type, const std::vector<double>& values,
                      const std::function<void(hid_t)>& mark) {
    return raw_file(folder, [&](hid_t file) {
        const hid_t set = raw_values(file, "/x", type, {1, 1, values.size()}, values);
        mark(set);
        H5Dclose(set);
    });
}

bool same(const std::vector<float>& a, const std::vector<double>& b) {
    bool equal = a.size() == b.size();
    for (std::size_t i = 0; equal && i < a.size(); ++i) {
        equal = std::isnan(b[i]) ? std::isnan(a[i]) : a[i] == static_cast<float>(b[i]);
    }
    return equal;
}

}  // namespace

TEST_CASE("HDF5: every type, byte order, layout, packing and kind of missing value comes back right") {
    const TemporaryFolder folder;
    const std::vector<std::string> layouts = {"hw",   "thw",  "hwt",  "wht",   "nhw",   "thwc", "tchw",
                                              "nthw", "nhwt", "tnhw", "nthwc", "ntchw", "cwtnh"};
    int files = 0;
    for (const Type& type : types()) {
        for (const std::string& layout : layouts) {
            for (const Missing& missing : ways_of_missing()) {
                const bool packed = ++files % 2 == 0;
                const double scale = packed ? 0.5 : 1.0;
                const double offset = packed ? -3.0 : 0.0;
                std::vector<hsize_t> shape;
                for (const char letter : layout) shape.push_back(kSizes.at(letter));
                std::vector<double> values;
                for_each_position(layout, [&](const Index& at) { values.push_back(value_at(at)); });
                const std::string path = raw_file(folder, [&](hid_t file) {
                    const hid_t storage = files % 3 == 0 ? H5P_DEFAULT : chunked(shape);
                    const hid_t set = raw_values(file, "/x", type.id, shape, values, storage);
                    missing.mark(set, type.id);
                    if (packed) number_attribute(set, "scale_factor", {scale});
                    if (packed) number_attribute(set, "add_offset", {offset});
                    H5Dclose(set);
                    if (storage != H5P_DEFAULT) H5Pclose(storage);
                });
                INFO(type.name << " " << layout << " " << missing.name << (packed ? " packed" : ""));
                const auto reader = opened(path, "/x", layout);
                CHECK(reader->info().stored_type == type.name);
                CHECK(reader->info().layout == layout);
                CHECK(reader->info().frames.size() == (layout.find('n') == std::string::npos ? 1 : 3));
                CHECK(reader->info().channels == (layout.find('c') == std::string::npos ? 1 : 2));
                CHECK(wrong_values(*reader, layout, missing, scale, offset) == 0);
            }
        }
    }
}

TEST_CASE("HDF5: NaN and infinity are missing in real numbers of each width") {
    const TemporaryFolder folder;
    const double infinity = std::numeric_limits<double>::infinity();
    const hid_t half = half_type(true);
    for (const hid_t type : {half, H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE}) {
        const std::string path = one_frame(folder, type, {1.5, kNan, infinity, -infinity, -2.0}, [](hid_t) {});
        CHECK(same(all_values(path), {1.5, kNan, kNan, kNan, -2.0}));
    }
}

TEST_CASE("HDF5: truth values of h5py and enumerations are numbers") {
    const TemporaryFolder folder;
    const hid_t truth = H5Tenum_create(H5T_NATIVE_INT8);
    for (std::int8_t value : {std::int8_t{0}, std::int8_t{1}})
        H5Tenum_insert(truth, value == 0 ? "FALSE" : "TRUE", &value);
    const std::string path = raw_file(folder, [&](hid_t file) {
        const hid_t set = raw_dataset(file, "/x", truth, {1, 2, 2});
        const std::array<std::int8_t, 4> values = {0, 1, 1, 0};
        H5Dwrite(set, truth, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        H5Dclose(set);
    });
    CHECK(opened(path)->info().stored_type == "bool");
    CHECK(same(all_values(path), {0, 1, 1, 0}));
}

TEST_CASE("HDF5: numbers of odd widths are converted by libhdf5") {
    const TemporaryFolder folder;
    const hid_t twelve_bits = H5Tcopy(H5T_STD_U16LE);
    H5Tset_precision(twelve_bits, 12);
    CHECK(same(all_values(one_frame(folder, twelve_bits, {0, 5, 4095}, [](hid_t) {})), {0, 5, 4095}));
    const hid_t three_bytes = H5Tcopy(H5T_STD_I32LE);
    H5Tset_precision(three_bytes, 24);
    H5Tset_size(three_bytes, 3);
    CHECK(same(all_values(one_frame(folder, three_bytes, {0, -5, 70000}, [](hid_t) {})), {0, -5, 70000}));
    CHECK(same(all_values(one_frame(folder, H5T_NATIVE_LDOUBLE, {0, -5.5, 1e10}, [](hid_t) {})), {0, -5.5, 1e10}));
}

TEST_CASE("NetCDF: _Unsigned makes signed bytes unsigned, fills and limits with them") {
    const TemporaryFolder folder;
    const std::string path = one_frame(folder, H5T_STD_I8LE, {0, 127, -128, -2, -1, 5}, [](hid_t set) {
        text_attribute(set, "_Unsigned", "true");
        number_attribute(set, "_FillValue", {-1}, H5T_STD_I8LE);
        number_attribute(set, "valid_range", {5, -2}, H5T_STD_I8LE);
        number_attribute(set, "scale_factor", {2.0});
    });
    CHECK(same(all_values(path), {kNan, 254, 256, 508, kNan, 10}));
}

TEST_CASE("NetCDF: limits as real numbers speak of physical values of packed integers") {
    const TemporaryFolder folder;
    const auto read = [&](double scale, const std::vector<double>& range) {
        return all_values(one_frame(folder, H5T_STD_I16LE, {0, 100, 101, 102}, [&](hid_t set) {
            number_attribute(set, "scale_factor", {scale});
            number_attribute(set, "valid_range", range);
        }));
    };
    CHECK(same(read(0.1, {10.1, 99}), {kNan, kNan, 10.1, 10.2}));
    CHECK(same(read(-0.1, {-10.1, 0}), {0, -10.0, -10.1, kNan}));
}

TEST_CASE("NetCDF: the library's own fill is missing where the file names none") {
    const TemporaryFolder folder;
    const auto read = [&](bool netcdf, const char* attribute) {
        return all_values(raw_file(folder, [&](hid_t file) {
            if (netcdf) text_attribute(file, "_NCProperties", "version=2,netcdf=4.9.0");
            const hid_t set = raw_values(file, "/x", H5T_IEEE_F32LE, {1, 1, 2}, {1.0, 9.969209968386869e36});
            if (attribute != nullptr) number_attribute(set, attribute, {-1}, H5T_IEEE_F32LE);
            H5Dclose(set);
        }));
    };
    CHECK(same(read(true, nullptr), {1.0, kNan}));
    CHECK(same(read(true, "_FillValue"), {1.0, 9.969209968386869e36}));
    CHECK(same(read(false, nullptr), {1.0, 9.969209968386869e36}));
}

TEST_CASE("ODIM: gain, offset and nodata; undetect is a value") {
    const TemporaryFolder folder;
    const std::string path = raw_file(folder, [](hid_t file) {
        H5Dclose(raw_values(file, "/dataset1/data1/data", H5T_STD_U8LE, {1, 4}, {0, 1, 100, 255}));
        const hid_t what = raw_group(file, "/dataset1/data1/what");
        number_attribute(what, "gain", {0.5});
        number_attribute(what, "offset", {-32});
        number_attribute(what, "nodata", {255});
        number_attribute(what, "undetect", {0});
        text_attribute(what, "quantity", "DBZH");
        H5Gclose(what);
        const hid_t time = raw_group(file, "/what");
        text_attribute(time, "date", "20200101");
        text_attribute(time, "time", "001500");
        H5Gclose(time);
    });
    CHECK(same(all_values(path), {-32, -31.5, 18, kNan}));
    CHECK(opened(path)->info().units == "dBZ");
    CHECK(opened(path)->info().start == "2020-01-01T00:15:00Z");
}

TEST_CASE("KNMI: the formula is read from text") {
    const TemporaryFolder folder;
    const auto path = [&](const std::string& formula) {
        return raw_file(folder, [&](hid_t file) {
            H5Dclose(raw_values(file, "/image1/image_data", H5T_STD_U8LE, {1, 4}, {0, 10, 254, 255}));
            const hid_t image = H5Gopen2(file, "/image1", H5P_DEFAULT);
            text_attribute(image, "image_geo_parameter", "REFLECTIVITY_[DBZ]");
            H5Gclose(image);
            const hid_t calibration = raw_group(file, "/image1/calibration");
            text_attribute(calibration, "calibration_formulas", formula);
            number_attribute(calibration, "calibration_missing_data", {254}, H5T_STD_I32LE);
            number_attribute(calibration, "calibration_out_of_image", {255}, H5T_STD_I32LE);
            H5Gclose(calibration);
        });
    };
    for (const char* formula : {"GEO=0.5*PV+-32", "GEO = 0.500000 * PV + -32.000000", "GEO=0.5*PV-32.0"}) {
        INFO(formula);
        CHECK(same(all_values(path(formula)), {-32, -27, kNan, kNan}));
    }
    CHECK(same(all_values(path("GEO=2*PV")), {0, 20, kNan, kNan}));
    CHECK(opened(path("GEO=2*PV"))->info().units == "dBZ");
    for (const char* formula : {"", "GEO=PV", "GEO=0*PV+1", "GEO=1*PV+x", "GEO=1*PV+1 and more", "nan*PV"}) {
        INFO(formula);
        CHECK_THROWS_AS(opened(path(formula)), Error);
    }
}
