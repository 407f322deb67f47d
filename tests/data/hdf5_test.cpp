#include "data/formats/fingerprint.h"
#include "data/frame_source.h"
#include "data/write/hdf5_io.h"
#include "src/error.h"
#include "tests/data/raw_hdf5.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

using namespace nowcell;

namespace {

SourceOptions options(const std::string& path, const std::string& layout = "auto",
                      const std::string& missing = "error") {
    return {path, "", layout, missing};
}

// (shape) counting up from 0 in a type.
torch::Tensor counting(torch::IntArrayRef shape, torch::ScalarType type = torch::kUInt8) {
    return torch::arange(c10::multiply_integers(shape), torch::kInt64).remainder(100).to(type).view(shape);
}

std::string written(const TemporaryFolder& folder, const torch::Tensor& values,
                    const std::map<std::string, Attribute>& attributes = {}, std::vector<std::int64_t> chunk = {}) {
    const std::string path = folder.path("frames.h5");
    write_hdf5(path, {{"/frames", values, std::move(chunk), attributes}}, {});
    return path;
}

struct Caught {
    ExitCode code = ExitCode::ok;
    std::string text;
    std::string hint;
};

Caught caught(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return {error.code(), error.what(), error.problems().front().hint};
    }
    return {};
}

Caught opening(const SourceOptions& from) {
    return caught([&] { open_source(from); });
}

void check_refused(const Caught& error, const std::string& text, const std::string& hint = "") {
    INFO(error.text << " / " << error.hint);
    CHECK(error.code == ExitCode::data);
    CHECK(error.text.find(text) != std::string::npos);
    CHECK(error.hint.find(hint) != std::string::npos);
    CHECK(error.text.find('\n') == std::string::npos);
}

void write_bytes(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string read_bytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("every numeric type comes back with scale, offset and fill applied") {
    for (const torch::ScalarType type :
         {torch::kUInt8, torch::kInt8, torch::kUInt16, torch::kInt16, torch::kUInt32, torch::kInt32, torch::kUInt64,
          torch::kInt64, torch::kFloat32, torch::kFloat64}) {
        INFO(torch::toString(type));
        const TemporaryFolder folder;
        const torch::Tensor stored = counting({5, 3, 4}, type);
        const std::string path =
            written(folder, stored, {{"scale_factor", 0.5}, {"add_offset", -3.0}, {"_FillValue", 7.0}, {"units", "mm"}},
                    {2, 3, 4});
        const auto source = open_source(options(path, "auto", "zero"));
        CHECK(source->info().units == "mm");
        CHECK(source->info().scale == 0.5);
        CHECK(source->info().offset == -3.0);
        CHECK(source->info().has_fill);
        CHECK(source->info().fill == 7.0);
        CHECK(source->info().filters == "shuffle, gzip 4, fletcher32");
        CHECK(source->info().chunk_shape == std::vector<std::int64_t>{2, 3, 4});
        torch::Tensor expected = stored.to(torch::kFloat32) * 0.5 - 3.0;
        expected.masked_fill_(stored.to(torch::kFloat32) == 7, 0.0);
        CHECK(source->read(0, 0, 5).equal(expected.view({5, 1, 3, 4})));
        CHECK(source->read(0, 3, 2).equal(expected.slice(0, 3).reshape({2, 1, 3, 4})));
        CHECK(source->read(0, 2, 0).numel() == 0);
    }
}

TEST_CASE("stored types are named as they are, whatever their byte order") {
    const TemporaryFolder folder;
    const std::vector<std::pair<hid_t, std::string>> types = {{H5T_STD_U16BE, "uint16"},   {H5T_STD_I32BE, "int32"},
                                                              {H5T_IEEE_F64BE, "float64"}, {H5T_IEEE_F32BE, "float32"},
                                                              {H5T_STD_I64BE, "int64"},    {H5T_STD_I8LE, "int8"}};
    for (const auto& [type, name] : types) {
        const hid_t stored = type;
        const std::string path = raw_file(folder, [&](hid_t file) {
            const hid_t set = raw_dataset(file, "/x", stored, {2, 2, 3});
            const std::vector<int> values = {1, -2, 300, 4, 5, 6, 7, 8, 9, 10, 11, 12};
            H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
            H5Dclose(set);
        });
        const auto source = open_source(options(path));
        INFO(name);
        CHECK(source->info().stored_type == name);
        CHECK(source->info().filters == "none");
        CHECK(source->info().chunk_shape.empty());
        const torch::Tensor frames = source->read(0, 0, 2);
        CHECK(frames[0][0][0][0].item<float>() == 1);
        CHECK(frames[1][0][1][2].item<float>() == 12);
        CHECK(frames[0][0][0][2].item<float>() == (name == "int8" ? 127 : 300));
    }
}

TEST_CASE("the layouts are recognised and read as (count,C,H,W)") {
    const TemporaryFolder folder;
    const auto check = [&](torch::IntArrayRef shape, const std::string& asked, const std::string& expected,
                           torch::IntArrayRef frame) {
        INFO(expected);
        const torch::Tensor stored = counting(shape);
        const auto source = open_source(options(written(folder, stored), asked));
        CHECK(source->info().layout == expected);
        CHECK(source->info().stored_shape == shape.vec());
        const bool many = expected.front() == 'n';
        const std::int64_t recording = many ? 1 : 0;
        torch::Tensor frames = (many ? stored[recording] : stored).to(torch::kFloat32);
        frames = expected.back() == 'c' ? frames.permute({0, 3, 1, 2}) : frames.unsqueeze(1);
        CHECK(source->info().frames ==
              std::vector<std::int64_t>(many ? static_cast<std::size_t>(shape[0]) : 1, frames.size(0)));
        const torch::Tensor read = source->read(recording, 1, 2);
        CHECK(read.sizes() == torch::IntArrayRef({2, frame[0], frame[1], frame[2]}));
        CHECK(read.is_contiguous());
        CHECK(read.equal(frames.slice(0, 1, 3)));
        CHECK(torch::IntArrayRef({source->info().channels, source->info().height, source->info().width}) == frame);
    };
    check({6, 5, 7}, "auto", "thw", {1, 5, 7});
    check({4, 6, 5, 7}, "auto", "nthw", {1, 5, 7});
    check({6, 5, 7, 3}, "auto", "thwc", {3, 5, 7});
    check({4, 3, 5, 3}, "auto", "nthw", {1, 5, 3});  // three steps: the last is not smaller than each other one
    check({4, 6, 5, 3}, "nthw", "nthw", {1, 5, 3});
    check({2, 6, 5, 7, 3}, "auto", "nthwc", {3, 5, 7});
    check({2, 6, 5, 7, 3}, "nthwc", "nthwc", {3, 5, 7});
    check({6, 5, 7, 6}, "thwc", "thwc", {6, 5, 7});
}

TEST_CASE("a layout that does not fit is refused") {
    const TemporaryFolder folder;
    check_refused(opening(options(written(folder, counting({6, 5, 7})), "nthw")),
                  "layout 'nthw' needs 4 dimensions, /frames has 3: [6,5,7]", "data.layout = \"auto\"");
    SourceOptions flat = options(written(folder, counting({6, 5})));
    check_refused(opening(flat), "no dataset of frames");
    flat.dataset = "frames";
    check_refused(opening(flat), "/frames has 2 dimensions [6,5]", "data.dataset");
    for (const char* name : {"twx", "tht", "thh", "tw", "THW", ""}) {
        INFO(name);
        CHECK(opening(options(written(folder, counting({6, 5, 7})), name)).code == ExitCode::usage);
    }
    CHECK(opening(options(written(folder, counting({6, 5, 7})), "auto", "maks")).code == ExitCode::usage);
    check_refused(opening(options(written(folder, torch::zeros({0, 5, 7})))), "has the shape [0,5,7]");
}

TEST_CASE("a missing value is counted and its position named") {
    const TemporaryFolder folder;
    torch::Tensor stored = counting({5, 9, 4, 15}, torch::kFloat32).clamp_max(90);
    stored[3][7][0][12] = std::nanf("");
    stored[3][8][1][0] = std::numeric_limits<float>::infinity();
    stored[4][0][0][0] = -999;
    const std::string path = written(folder, stored, {{"missing_value", -999.0}});
    const auto source = open_source(options(path));
    CHECK(source->read(3, 0, 7).isfinite().all().item<bool>());
    const Caught two = caught([&] { source->read(3, 6, 3); });
    check_refused(two, "2 of 180 values", "--set data.missing=mask");
    check_refused(two, "/frames[3,7,0,12]");
    check_refused(caught([&] { source->read(4, 0, 1); }), "/frames[4,0,0,0]");
    const torch::Tensor zeroed = open_source(options(path, "auto", "zero"))->read(3, 7, 2);
    CHECK(zeroed[0][0][0][12].item<float>() == 0);
    CHECK(zeroed[1][0][1][0].item<float>() == 0);
    CHECK(zeroed[1][0][1][1].item<float>() == stored[3][8][1][1].item<float>());
}

TEST_CASE("the position of a missing value follows the stored order of dimensions") {
    const TemporaryFolder folder;
    torch::Tensor stored = counting({6, 5, 7, 3}, torch::kInt16);
    stored[4][2][6][1] = 500;
    const auto source = open_source(options(written(folder, stored, {{"_FillValue", 500.0}})));
    check_refused(caught([&] { source->read(0, 3, 3); }), "/frames[4,2,6,1]");
}

TEST_CASE("fills at the ends of a type are recognised") {
    const TemporaryFolder folder;
    const auto missing = [&](torch::ScalarType type, std::int64_t value, double fill) {
        torch::Tensor stored = counting({2, 2, 2}, torch::kInt64);
        stored[1][1][1] = value;
        const auto source = open_source(options(written(folder, stored.to(type), {{"_FillValue", fill}})));
        return caught([&] { source->read(0, 0, 2); }).text.find("1 of 8 values") != std::string::npos;
    };
    CHECK(missing(torch::kUInt8, 255, 255));
    CHECK(missing(torch::kInt16, -32768, -32768));
    CHECK(missing(torch::kUInt16, 65535, 65535));
    CHECK(missing(torch::kInt64, std::numeric_limits<std::int64_t>::max(), 9223372036854775807.0));
    CHECK_FALSE(missing(torch::kUInt8, 1, 257));  // not a value of the type, and not 257 % 256
    CHECK_FALSE(missing(torch::kUInt8, 1, 1.5));
    CHECK(missing(torch::kFloat32, 16777216, 16777217.0));  // as a float32 holds it
}

TEST_CASE("text attributes may hold numbers, and unusable scales are refused") {
    const TemporaryFolder folder;
    const torch::Tensor stored = counting({2, 3, 4});
    CHECK(open_source(options(written(folder, stored, {{"scale_factor", "0.01"}})))->info().scale == 0.01);
    check_refused(opening(options(written(folder, stored, {{"scale_factor", "GEO=0.01*PV"}}))),
                  "got 'GEO=0.01*PV', expected a number");
    check_refused(opening(options(written(folder, stored, {{"scale_factor", 0.0}}))), "scale_factor");
    check_refused(opening(options(written(folder, stored, {{"scale_factor", std::vector<double>{1, 2}}}))),
                  "scale_factor");
    check_refused(opening(options(written(folder, stored, {{"add_offset", std::nan("")}}))), "add_offset");
}

TEST_CASE("the time step comes from an attribute or from a NetCDF time axis") {
    const TemporaryFolder folder;
    const torch::Tensor stored = counting({4, 3, 5});
    CHECK(open_source(options(written(folder, stored)))->info().step_s == 0);
    CHECK(open_source(options(written(folder, stored, {{"step_s", 300.0}})))->info().step_s == 300);
    const auto knmi =
        open_source(options(written(folder, stored, {{"dt_seconds", 300.0}, {"start", "2010-08-26T00:00Z"}})));
    CHECK(knmi->info().step_s == 300);
    CHECK(knmi->info().start == "2010-08-26T00:00Z");
    const auto with_axis = [&](const std::vector<double>& times, const std::string& units) {
        const std::string path = folder.path("axis.nc");
        write_hdf5(path, {{"/t2m", stored}, {"/time", torch::tensor(times, torch::kFloat64), {}, {{"units", units}}}},
                   {});
        return open_source(options(path))->info();
    };
    CHECK(with_axis({0, 1, 2, 3}, "hours since 2019-03-01 00:00").step_s == 3600);
    CHECK(with_axis({0, 1, 2, 3}, "hours since 2019-03-01 00:00").start == "2019-03-01T00:00:00Z");
    CHECK(with_axis({6, 12, 18, 24}, "minutes since 2019-03-01").step_s == 360);
    CHECK(with_axis({6, 12, 18, 24}, "minutes since 2019-03-01").start == "2019-03-01T00:06:00Z");
    CHECK(with_axis({0, 1, 2, 4}, "days since 2019-03-01").step_s == 86400);
    CHECK(with_axis({0, 1, 2, 4}, "days since 2019-03-01").breaks == std::vector<std::vector<std::int64_t>>{{3}});
    CHECK(with_axis({0, 1, 2, 3}, "days since 2019-03-01").breaks.empty());
    CHECK(with_axis({0, 1, 2, 3}, "months since 2019-03-01").step_s == 0);
    CHECK(with_axis({0, 1, 2, 3}, "metres").step_s == 0);
    CHECK(with_axis({0, 1, 2}, "hours since 2019-03-01").step_s == 0);
}

TEST_CASE("attributes of every kind are read, variable-length text included") {
    const TemporaryFolder folder;
    const std::string path = raw_file(folder, [](hid_t file) {
        const hid_t set = raw_dataset(file, "/x", H5T_NATIVE_UINT8, {2, 2, 2});
        const hid_t text = H5Tcopy(H5T_C_S1);
        H5Tset_size(text, H5T_VARIABLE);
        const char* units = "dBZ";
        raw_attribute(set, "units", text, &units);
        const float scale = 0.25F;
        raw_attribute(set, "scale_factor", H5T_NATIVE_FLOAT, &scale);
        const std::uint8_t fill = 255;
        raw_attribute(set, "_FillValue", H5T_NATIVE_UINT8, &fill);
        H5Tclose(text);
        H5Dclose(set);
    });
    const auto source = open_source(options(path));
    CHECK(source->info().units == "dBZ");
    CHECK(source->info().scale == 0.25);
    CHECK(source->info().fill == 255);
}

TEST_CASE("what is no HDF5 file is named for what it looks like") {
    const TemporaryFolder folder;
    const auto check = [&](const std::string& bytes, const std::string& text, const std::string& hint = "") {
        write_bytes(folder.path("some.dat"), bytes);
        check_refused(opening(options(folder.path("some.dat"))), text, hint);
    };
    check("CDF\x01 and more", "NetCDF classic", "nccopy -k nc4");
    check("\x1f\x8b\x08....", "gzip file", "unpack");
    check("hello", "no format that is known here");
    check("", "the file is empty");
    const TemporaryFolder empty;
    check_refused(opening(options(empty.path())), "the folder holds no frames");
    write_bytes(folder.path("radar.h5"), "x");
    check_refused(opening(options(folder.path("radra.h5"))), "no such file", "radar.h5");
    check_refused(opening(options("/dev/null")), "not a regular file");
    CHECK(opening(options("")).code == ExitCode::usage);
}

TEST_CASE("a dataset that is not there is answered with what is") {
    const TemporaryFolder folder;
    const std::string path = folder.path("two.h5");
    write_hdf5(path, {{"/frames", counting({10, 3, 4})}, {"/deep/labels", counting({10}, torch::kInt64)}}, {});
    SourceOptions from = options(path);
    from.dataset = "/frame";
    check_refused(opening(from),
                  "no dataset '/frame' in " + path + "; found: /deep/labels [10] int64, /frames [10,3,4] uint8",
                  "--set data.dataset=/frames");
    from.dataset = "frames";
    CHECK(opening(from).code == ExitCode::ok);
    from.dataset = "/deep";
    check_refused(opening(from), "no dataset '/deep'");
    write_hdf5(path, {{"/a", counting({10, 3, 4})}, {"/b", counting({10, 3, 4})}}, {});
    check_refused(opening(options(path)), "several datasets of frames: /a [10,3,4] uint8, /b [10,3,4] uint8",
                  "--set data.dataset=/a");
}

TEST_CASE("values that are no numbers are refused by name") {
    const TemporaryFolder folder;
    const auto check = [&](hid_t type, const std::string& text) {
        SourceOptions from = options(raw_file(folder, [&](hid_t file) {
            H5Dclose(raw_dataset(file, "/x", type, {2, 2, 2}));
        }));
        check_refused(opening(from), "no dataset of frames");
        from.dataset = "/x";
        check_refused(opening(from), "holds " + text + " values, expected numbers");
    };
    check(H5T_C_S1, "string");
    const hid_t pair = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(pair, "a", 0, H5T_NATIVE_INT);
    H5Tinsert(pair, "b", 4, H5T_NATIVE_INT);
    check(pair, "compound");
    H5Tclose(pair);
}

TEST_CASE("an absent filter is named, with its number and a way out") {
    const TemporaryFolder folder;
    const auto check = [&](H5Z_filter_t id, const std::string& name, const std::string& hint) {
        const std::string path = raw_file(folder, [&](hid_t file) {
            const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
            const hsize_t chunk[3] = {1, 2, 2};
            H5Pset_chunk(layout, 3, chunk);
            H5Pset_filter(layout, id, H5Z_FLAG_OPTIONAL, 0, nullptr);
            H5Dclose(raw_dataset(file, "/x", H5T_NATIVE_UINT8, {2, 2, 2}, layout));
            H5Pclose(layout);
        });
        const Caught error = opening(options(path));
        check_refused(error,
                      "dataset '/x' is compressed with filter " + std::to_string(id) + " (" + name +
                          "), not available in this HDF5 " + hdf5_version(),
                      hint);
        CHECK(holds(error.hint, "h5repack -f GZIP=4"));
    };
    check(307, "bzip2", "install Debian's hdf5-filter-plugin and");
    check(32001, "blosc", "hdf5-filter-plugin-blosc-serial");
    check(32004, "lz4", "hdf5-filter-plugin and");
    check(32008, "bitshuffle", "Debian's bitshuffle");
    check(32013, "zfp", "hdf5-filter-plugin-zfp-serial");
    check(32000, "lzf", "repack where");
    check(32015, "zstd", "repack where");
    check(32026, "blosc2", "repack where");
}

TEST_CASE("sizes that the file cannot back are refused before memory is asked for") {
    const TemporaryFolder folder;
    const auto check = [&](const std::vector<hsize_t>& shape) {
        const std::string path = raw_file(folder, [&](hid_t file) {
            const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
            const std::vector<hsize_t> chunk(shape.size(), 1);
            H5Pset_chunk(layout, static_cast<int>(chunk.size()), chunk.data());
            H5Dclose(raw_dataset(file, "/x", H5T_NATIVE_DOUBLE, shape, layout));
            H5Pclose(layout);
        });
        check_refused(opening(options(path)), "refused as damaged or hostile");
    };
    check({1U << 20, 1U << 20, 1U << 10});
    check({1ULL << 40, 1ULL << 40, 1ULL << 40});
    check({1ULL << 62, 4, 4, 4});
}

TEST_CASE("values in other files are never read") {
    const TemporaryFolder folder;
    write_bytes(folder.path("secret.bin"), std::string(64, 'x'));
    const std::string external = raw_file(folder, [&](hid_t file) {
        const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_external(layout, folder.path("secret.bin").c_str(), 0, 64);
        H5Dclose(raw_dataset(file, "/x", H5T_NATIVE_UINT8, {4, 4, 4}, layout));
        H5Pclose(layout);
    });
    check_refused(opening(options(external)), "keeps its values in other files");
    const std::string target = written(folder, counting({4, 4, 4}));
    const std::string virtual_set = raw_file(folder, [&](hid_t file) {
        const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
        const std::array<hsize_t, 3> shape = {4, 4, 4};
        const hid_t space = H5Screate_simple(3, shape.data(), nullptr);
        H5Pset_virtual(layout, space, target.c_str(), "/frames", space);
        H5Dclose(raw_dataset(file, "/x", H5T_NATIVE_UINT8, {4, 4, 4}, layout));
        H5Sclose(space);
        H5Pclose(layout);
    });
    check_refused(opening(options(virtual_set)), "keeps its values in other files");
    SourceOptions linked = options(raw_file(folder, [&](hid_t file) {
        H5Lcreate_external(target.c_str(), "/frames", file, "/x", H5P_DEFAULT, H5P_DEFAULT);
    }));
    check_refused(opening(linked), "no dataset of frames");
    linked.dataset = "/x";
    check_refused(opening(linked), "no dataset '/x'");
}

TEST_CASE("a truncated or damaged file is a message, not a crash") {
    const TemporaryFolder folder;
    const std::string path = written(folder, torch::rand({20, 30, 30}), {}, {5, 30, 30});
    const std::string whole = read_bytes(path);
    write_bytes(path, whole.substr(0, whole.size() / 2));
    check_refused(opening(options(path)), "damaged or incomplete");
    std::string flipped = whole;
    flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 0x10);
    write_bytes(path, flipped);
    const Caught damaged = caught([&] { open_source(options(path))->read(0, 0, 20); });
    check_refused(damaged, "damaged or incomplete");
    std::string newer = whole;
    newer[8] = 9;
    write_bytes(path, newer);
    check_refused(opening(options(path)), "uses a format newer than HDF5", "h5repack");
}

TEST_CASE("HDF5 behind a user block is recognised") {
    const TemporaryFolder folder;
    const std::string path = folder.path("block.h5");
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(creation, 1024);
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, H5P_DEFAULT);
    H5Dclose(raw_dataset(file, "/x", H5T_NATIVE_UINT8, {2, 2, 2}));
    H5Fclose(file);
    H5Pclose(creation);
    CHECK(opening(options(path)).code == ExitCode::ok);
}

TEST_CASE("a written file is plain, whole and the same every time") {
    const TemporaryFolder folder;
    const std::vector<Hdf5Dataset> datasets = {
        {"/frames",
         counting({4, 3, 5}, torch::kFloat32),
         {1, 3, 5},
         {{"units", "K"}, {"note", ""}, {"levels", std::vector<double>{1, 2.5}}}},
        {"/group/lead", counting({4}, torch::kInt64)}};
    write_hdf5(folder.path("a.h5"), datasets, {{"history", "made by a test"}});
    write_hdf5(folder.path("b.h5"), datasets, {{"history", "made by a test"}});
    const std::string bytes = read_bytes(folder.path("a.h5"));
    CHECK(bytes == read_bytes(folder.path("b.h5")));
    CHECK(bytes[8] == 0);  // superblock 0: the earliest format
    const Hdf5File file(folder.path("a.h5"));
    CHECK(file.text("/", "history") == "made by a test");
    CHECK(file.text("/frames", "note") == "");
    CHECK(file.numbers("/frames", "levels") == std::vector<double>{1, 2.5});
    CHECK_FALSE(file.text("/frames", "nothing").has_value());
    CHECK(read_hdf5(folder.path("a.h5"), "/group/lead").equal(counting({4}, torch::kInt64)));
    CHECK(file.list().size() == 2);
}

TEST_CASE("a failing write leaves an error and nothing else") {
    const TemporaryFolder folder;
    const std::string path = folder.path("big.h5");
    const std::vector<Hdf5Dataset> datasets = {{"/frames", torch::rand({64, 64, 64})}};
    CHECK(caught([&] { write_hdf5(folder.path("no/such/folder.h5"), datasets, {}); }).code == ExitCode::output);
    write_bytes(path, "kept");
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{10000, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const Caught full = caught([&] { write_hdf5(path, datasets, {}); });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK(full.code == ExitCode::output);
    CHECK(full.text.find(path) != std::string::npos);
    CHECK(read_bytes(path) == "kept");
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
    write_hdf5(path, datasets, {});  // the library still works
    CHECK(open_source(options(path))->read(0, 0, 64).equal(datasets[0].values.unsqueeze(1)));
}

TEST_CASE("a fingerprint follows the content and not the name") {
    const TemporaryFolder folder;
    const std::string path = written(folder, counting({4, 3, 5}));
    const std::string before = open_source(options(path))->info().fingerprint;
    CHECK(before.size() == 16);
    std::filesystem::copy_file(path, folder.path("copy.h5"));
    CHECK(fingerprint(folder.path("copy.h5")) == before);
    torch::Tensor other = counting({4, 3, 5});
    other[3][2][4] = 200;
    CHECK(fingerprint(written(folder, other)) != before);
    write_bytes(folder.path("long"), std::string(20 << 20, 'a'));
    write_bytes(folder.path("longer"), std::string((20 << 20) + 1, 'a'));
    CHECK(fingerprint(folder.path("long")) != fingerprint(folder.path("longer")));
    CHECK_THROWS_AS(fingerprint(folder.path("absent")), Error);
}

TEST_CASE("many threads read one source") {
    const TemporaryFolder folder;
    const torch::Tensor stored = counting({60, 8, 9}, torch::kInt16);
    const auto source = open_source(options(written(folder, stored, {}, {7, 8, 9})));
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int id = 0; id < 4; ++id) {
        threads.emplace_back([&, id] {
            for (std::int64_t i = 0; i < 50; ++i) {
                const std::int64_t first = (i * 7 + id * 13) % 55;
                const torch::Tensor expected = stored.slice(0, first, first + 5).to(torch::kFloat32).unsqueeze(1);
                right += source->read(0, first, 5).equal(expected) ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(right == 200);
}

TEST_CASE("frames that do not exist are a mistake of ours") {
    const TemporaryFolder folder;
    const auto source = open_source(options(written(folder, counting({4, 3, 5}))));
    for (const auto& [recording, first, count] :
         std::vector<std::tuple<int, int, int>>{{1, 0, 1}, {-1, 0, 1}, {0, -1, 1}, {0, 3, 2}, {0, 0, -1}}) {
        CHECK(caught([&, r = recording, f = first, n = count] { source->read(r, f, n); }).code == ExitCode::internal);
    }
}

TEST_CASE("the recordings of rain and temperature are read as their description says") {
    SourceOptions rain = options(shared_data("knmi_radar/knmi_radar_20100826.h5"));
    SourceOptions heat = options(shared_data("era5_uk_t2m/era5_uk_t2m_201903.h5"));
    if (rain.path.empty() || heat.path.empty()) {
        WARN("skipped: ../shared/data is absent");
        return;
    }
    const auto strict = open_source(rain);
    CHECK(strict->info().units == "mm per 5 min");
    CHECK(strict->info().step_s == 300);
    CHECK(strict->info().frames == std::vector<std::int64_t>{92});
    check_refused(caught([&] { strict->read(0, 0, 3); }), "112482 of 524169 values", "data.missing=mask");
    rain.missing = "zero";
    const torch::Tensor frames = open_source(rain)->read(0, 0, 92);
    CHECK(frames.min().item<float>() == 0);
    CHECK(frames.max().item<float>() > 0.5F);
    const torch::Tensor kelvin = open_source(heat)->read(0, 0, 744);
    CHECK(kelvin.sizes() == torch::IntArrayRef({744, 1, 33, 49}));
    CHECK(std::abs(kelvin.min().item<float>() - 265.680) < 0.001);
    CHECK(std::abs(kelvin.max().item<float>() - 291.559) < 0.001);
}
