// Folders of HDF5 files, datasets by pattern, layouts that are guessed, and time axes.
#include "data/formats/frame_layout.h"
#include "src/error.h"
#include "tests/data/raw_hdf5.h"

#include <cmath>
#include <cstring>
#include <filesystem>

using namespace nowcell;

namespace {

using Numbers = std::vector<std::int64_t>;

// A file of one frame of 2 x 2, all of one value.
void one_frame(const std::string& path, double value, const std::string& end_time = "") {
    raw_file(path, [&](hid_t file) {
        H5Dclose(raw_values(file, "/image1/image_data", H5T_STD_U16LE, {2, 2}, {value, value, value, 65535}));
        const hid_t calibration = raw_group(file, "/image1/calibration");
        text_attribute(calibration, "calibration_formulas", "GEO=0.01*PV+0.0");
        number_attribute(calibration, "calibration_missing_data", {65535});
        H5Gclose(calibration);
        const hid_t image = H5Gopen2(file, "/image1", H5P_DEFAULT);
        text_attribute(image, "image_geo_parameter", "ACCUMULATED_PRECIPITATION_[MM]");
        H5Gclose(image);
        if (end_time.empty()) return;
        const hid_t overview = raw_group(file, "/overview");
        text_attribute(overview, "product_datetime_end", "26-AUG-2010;00:" + end_time + ":00.000");
        text_attribute(overview, "product_datetime_start",
                       "26-AUG-2010;00:" + std::to_string(std::stoi(end_time) - 5) + ":00.000");
        H5Gclose(overview);
    });
}

std::vector<float> first_values(FrameReader& reader, std::int64_t recording = 0) {
    const SourceInfo& info = reader.info();
    const std::vector<float> all = frames_of_recording(reader, recording);
    const auto frame = static_cast<std::size_t>(info.channels * info.height * info.width);
    std::vector<float> out;
    for (std::size_t i = 0; i < all.size(); i += frame) out.push_back(all[i]);
    return out;
}

std::string refusal(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::data);
        return error.what();
    }
    return "accepted";
}

// (time 4, lat 2, lon 3) as NetCDF writes it, in any order of dimensions.
std::string netcdf(const TemporaryFolder& folder, const std::string& order, const std::vector<double>& times,
                   const std::string& units, const std::string& calendar, hid_t time_type = H5T_IEEE_F64LE) {
    return raw_file(folder.path("x.nc"), [&](hid_t file) {
        const std::map<char, std::pair<std::string, hsize_t>> axes = {
            {'t', {"/time", times.size()}}, {'h', {"/lat", 2}}, {'w', {"/lon", 3}}};
        std::vector<hsize_t> shape;
        for (const char letter : order) shape.push_back(axes.at(letter).second);
        std::vector<double> values(shape[0] * shape[1] * shape[2]);
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
        const hid_t set = raw_values(file, "/pr", H5T_IEEE_F32LE, shape, values);
        for (unsigned i = 0; i < order.size(); ++i) {
            const auto& [name, size] = axes.at(order[i]);
            const bool time = order[i] == 't';
            const hid_t scale = raw_values(file, name, time ? time_type : H5T_IEEE_F32LE, {size},
                                           time ? times : std::vector<double>(size));
            if (time) text_attribute(scale, "units", units);
            if (time && !calendar.empty()) text_attribute(scale, "calendar", calendar);
            H5DSset_scale(scale, name.c_str());
            const int id = static_cast<int>(i);
            raw_attribute(scale, "_Netcdf4Dimid", H5T_NATIVE_INT, &id);
            H5DSattach_scale(set, scale, i);
            H5Dclose(scale);
        }
        H5Dclose(set);
    });
}

}  // namespace

TEST_CASE("files of one frame are a recording in the order of their times, gaps marked") {
    const TemporaryFolder folder;
    one_frame(folder.path("c.h5"), 10, "05");
    one_frame(folder.path("a.h5"), 20, "10");
    one_frame(folder.path("b.h5"), 40, "25");
    one_frame(folder.path("d.h5"), 30, "15");
    int alive = 0;
    SourceOptions options;
    options.path = folder.path();
    options.alive = [&] { ++alive; };
    const auto reader = open_frames(options);
    const SourceInfo& info = reader->info();
    CHECK(alive == 4);
    CHECK(info.files == 4);
    CHECK(info.format == "folder of HDF5");
    CHECK(info.layout == "hw");
    CHECK(info.frames == Numbers{4});
    CHECK(info.step_s == 300);
    CHECK(info.start == "2010-08-26T00:05:00Z");
    CHECK(info.units == "mm per 5 min");
    CHECK(info.breaks == std::vector<Numbers>{{3}});
    CHECK(first_values(*reader) == std::vector<float>{0.1F, 0.2F, 0.3F, 0.4F});
    std::vector<float> out(8);
    CHECK(reader->read(0, 2, 2, out.data()) == 2);
    CHECK(out[0] == 0.3F);
    CHECK(std::isnan(out[3]));
}

TEST_CASE("times are taken from names where files do not say them, else the order is natural") {
    const TemporaryFolder folder;
    one_frame(folder.path("x_201008260010.h5"), 30);
    one_frame(folder.path("x_201008252355.h5"), 10);
    one_frame(folder.path("x_201008260005.h5"), 20);
    const auto dated = opened(folder.path());
    CHECK(first_values(*dated) == std::vector<float>{0.1F, 0.2F, 0.3F});
    CHECK(dated->info().breaks == std::vector<Numbers>{{1}});
    CHECK(dated->info().step_s == 300);
    const TemporaryFolder other;
    for (const int i : {1, 2, 10}) one_frame(other.path("frame" + std::to_string(i) + ".h5"), i);
    const auto natural = opened(other.path());
    CHECK(first_values(*natural) == std::vector<float>{0.01F, 0.02F, 0.1F});
    CHECK(natural->info().breaks.empty());
    CHECK(natural->info().step_s == 0);
    REQUIRE(natural->info().notes.size() == 1);
    CHECK(holds(natural->info().notes[0], "0 of 3 files"));
}

TEST_CASE("many files are read through few handles") {
    const TemporaryFolder folder;
    for (int i = 0; i < 40; ++i) one_frame(folder.path("frame" + std::to_string(i) + ".h5"), i);
    const auto reader = opened(folder.path());
    for (int pass = 0; pass < 2; ++pass) {
        const std::vector<float> values = first_values(*reader);
        for (std::size_t i = 0; i < values.size(); ++i)
            CHECK(values[i] == static_cast<float>(0.01 * static_cast<double>(i)));
    }
    std::size_t handles = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code ignored;
        handles += holds(std::filesystem::read_symlink(entry.path(), ignored).string(), folder.path()) ? 1 : 0;
    }
    CHECK(handles <= 16);
}

TEST_CASE("a frame that is not like the others is refused with its file") {
    const auto check = [](hid_t type, const std::vector<hsize_t>& shape, const std::string& text) {
        const TemporaryFolder folder;
        one_frame(folder.path("frame1.h5"), 1);
        raw_file(folder.path("frame2.h5"),
                 [&](hid_t file) { H5Dclose(raw_dataset(file, "/image1/image_data", type, shape)); });
        const std::string message = refusal([&] { opened(folder.path()); });
        INFO(message);
        CHECK(holds(message, "frame2.h5"));
        CHECK(holds(message, text));
    };
    check(H5T_STD_U16LE, {2, 3}, "[2,3] uint16, expected [2,2] uint16");
    check(H5T_STD_U8LE, {2, 2}, "[2,2] uint8, expected [2,2] uint16");
    check(H5T_STD_U16LE, {1, 2, 2}, "[1,2,2] uint16, expected [2,2] uint16");
    check(H5T_STD_U16LE, {2, 2}, "is in '1', expected 'mm'");
    const TemporaryFolder folder;
    one_frame(folder.path("frame1.h5"), 1);
    raw_file(folder.path("frame2.h5"), [](hid_t file) { H5Dclose(raw_dataset(file, "/other", H5T_STD_U8LE, {2, 2})); });
    CHECK(holds(refusal([&] { opened(folder.path()); }),
                "no dataset '/image1/image_data' in " + folder.path("frame2.h5")));
}

TEST_CASE("files of several frames follow each other, packed each in its own way") {
    const TemporaryFolder folder;
    const auto year = [&](const char* name, const std::vector<double>& times, double scale) {
        raw_file(folder.path(name), [&](hid_t file) {
            std::vector<double> values;
            for (const double time : times) values.insert(values.end(), 4, time);
            const hid_t set = raw_values(file, "/t2m", H5T_STD_I16LE, {times.size(), 2, 2}, values);
            number_attribute(set, "scale_factor", {scale});
            H5Dclose(set);
            const hid_t axis = raw_values(file, "/time", H5T_STD_I32LE, {times.size()}, times);
            text_attribute(axis, "units", "hours since 2019-01-01");
            H5Dclose(axis);
        });
    };
    year("b.nc", {6, 12}, 1.0);
    year("a.nc", {18, 24, 36}, 0.5);
    const auto reader = opened(folder.path());
    CHECK(reader->info().frames == Numbers{5});
    CHECK(reader->info().step_s == 6 * 3600);
    CHECK(reader->info().start == "2019-01-01T06:00:00Z");
    CHECK(reader->info().breaks == std::vector<Numbers>{{4}});
    CHECK(first_values(*reader) == std::vector<float>{6, 12, 9, 12, 18});
    std::vector<float> out(12);
    reader->read(0, 1, 3, out.data());
    CHECK(std::vector<float>{out[0], out[4], out[8]} == std::vector<float>{12, 9, 12});
}

TEST_CASE("KNMI's original files cropped are the stacked copy, missing pixels included") {
    const std::string folder = shared_data("knmi_radar/original");
    const std::string stacked = shared_data("knmi_radar/knmi_radar_20100826.h5");
    if (folder.empty() || stacked.empty()) {
        WARN("skipped: ../shared/data is absent");
        return;
    }
    SourceOptions options;
    options.path = folder;
    options.rows = {220, 637};
    options.columns = {160, 579};
    const auto a = open_frames(options);
    const auto b = opened(stacked);
    CHECK(a->info().units == b->info().units);
    CHECK(a->info().step_s == b->info().step_s);
    CHECK(a->info().breaks == b->info().breaks);
    REQUIRE(a->info().frames == Numbers{92});
    const std::vector<float> left = frames_of_recording(*a);
    const std::vector<float> right = frames_of_recording(*b);
    REQUIRE(left.size() == right.size());
    CHECK(std::memcmp(left.data(), right.data(), left.size() * sizeof(float)) == 0);
    CHECK(std::count_if(left.begin(), left.end(), [](float v) { return std::isnan(v); }) == 3449448);
}

TEST_CASE("datasets that match a pattern are a recording each, in natural order") {
    const TemporaryFolder folder;
    const std::string path = raw_file(folder, [](hid_t file) {
        for (const int i : {1, 2, 10}) {
            const std::string name = "/train/sample_" + std::to_string(i);
            const auto frames = static_cast<hsize_t>(2 + i % 2);
            H5Dclose(raw_values(file, name, H5T_STD_U8LE, {frames, 2, 2}, std::vector<double>(frames * 4, i)));
        }
        H5Dclose(raw_values(file, "/train/all_len", H5T_STD_I32LE, {1}, {3}));
        H5Dclose(raw_dataset(file, "/train/zodd", H5T_STD_U8LE, {2, 3, 3}));
        H5Dclose(raw_dataset(file, "/test/sample_1", H5T_STD_U8LE, {2, 2, 2}));
    });
    const auto reader = opened(path, "train/*");
    CHECK(reader->info().dataset == "/train/*");
    CHECK(reader->info().frames == Numbers{3, 2, 2});
    for (std::int64_t i = 0; i < 3; ++i)
        CHECK(first_values(*reader, i)[0] == (std::vector<float>{1, 2, 10})[static_cast<std::size_t>(i)]);
    REQUIRE(reader->info().notes.size() == 1);
    CHECK(holds(reader->info().notes[0], "1 of 4 datasets"));
    CHECK(opened(path, "/*/sample_1")->info().frames == Numbers{2, 3});
    CHECK(holds(refusal([&] { opened(path, "/*"); }), "matches '/*'"));
    CHECK(holds(refusal([&] { opened(path); }), "several datasets"));
}

TEST_CASE("the order of dimensions is guessed from the shape, and said") {
    const auto guess = [](const Numbers& shape, StoredType type = StoredType::f32) {
        return find_layout("auto", {"/x", shape, type}).name;
    };
    CHECK(guess({6, 5, 7}) == "thw");
    CHECK(guess({6, 5, 7, 3}) == "thwc");
    CHECK(guess({4, 6, 5, 7}) == "nthw");
    CHECK(guess({30, 384, 384, 49}) == "nhwt");
    CHECK(guess({30, 49, 384, 384}) == "nthw");
    CHECK(guess({30, 64, 64, 64}) == "nthw");
    CHECK(guess({20, 10000, 64, 64}, StoredType::u8) == "tnhw");
    CHECK(guess({20, 10000, 64, 64}) == "nthw");
    CHECK(guess({20, 20, 64, 64}, StoredType::u8) == "nthw");
    CHECK(guess({2, 6, 5, 7, 3}) == "nthwc");
    CHECK(guess({2, 6, 3, 5, 7}) == "ntchw");
    CHECK(find_layout("auto", {"/x", {6, 5, 7}}).note.empty());
    const std::string note = find_layout("auto", {"/x", {30, 384, 384, 49}}).note;
    CHECK(holds(note, "layout nhwt was guessed from the shape [30,384,384,49]; data.layout = \"nthw\""));
    const auto named = [](const std::vector<std::string>& names) {
        return find_layout("auto", {"/x", {20, 9, 64, 64}, StoredType::u8, names}).name;
    };
    CHECK(named({"recording", "time", "y", "x"}) == "nthw");
    CHECK(named({"Time", "Level", "Latitude", "Longitude"}) == "tchw");
    CHECK(named({"time", "dim2", "y", "x"}) == "tnhw");
}

TEST_CASE("NetCDF's names of dimensions decide the order") {
    const TemporaryFolder folder;
    for (const char* order : {"thw", "hwt", "wht", "wth"}) {
        const auto reader = opened(netcdf(folder, order, {0, 1, 2, 3}, "hours since 2019-03-01", ""), "/pr");
        INFO(order);
        CHECK(reader->info().layout == order);
        CHECK(reader->info().format == "NetCDF-4");
        CHECK(reader->info().frames == Numbers{4});
        CHECK(reader->info().height == 2);
        CHECK(reader->info().step_s == 3600);
        CHECK(reader->info().start == "2019-03-01T00:00:00Z");
    }
}

TEST_CASE("the start of a time axis is a date of its calendar, and gaps are found") {
    const TemporaryFolder folder;
    const auto info = [&](const std::vector<double>& times, const std::string& units, const std::string& calendar,
                          hid_t type = H5T_IEEE_F64LE) {
        return opened(netcdf(folder, "thw", times, units, calendar, type), "/pr")->info();
    };
    CHECK(info({1, 2, 3, 5}, "days since 2000-02-28", "360_day").start == "2000-02-29T00:00:00Z");
    CHECK(info({1, 2, 3, 5}, "days since 2000-02-28", "360_day").calendar == "360_day");
    CHECK(info({1, 2, 3, 5}, "days since 2000-02-28", "360_day").breaks == std::vector<Numbers>{{3}});
    CHECK(info({1, 2, 3, 4}, "days since 2000-02-28", "noleap").start == "2000-03-01T00:00:00Z");
    CHECK(info({24, 48}, "hours since 1582-10-04", "").start == "1582-10-15T00:00:00Z");
    // Six hours apart in days since 1900, as 32-bit floats hold it.
    const SourceInfo coarse =
        info({43800.0, 43800.25, 43800.5, 43800.75}, "days since 1900-01-01", "standard", H5T_IEEE_F32LE);
    CHECK(coarse.breaks.empty());
    CHECK(coarse.step_s == 21600);
    const SourceInfo twice = info({0, 1, 1, 2, 3}, "hours since 2019-03-01", "");
    CHECK(twice.breaks == std::vector<Numbers>{{2}});
    CHECK(holds(twice.notes.front(), "repeat or go backwards"));
    CHECK(info({6, 7}, "hours since the flood", "").start == "6 hours since the flood");
    CHECK(info({6, 7}, "hours since 2019-02-30", "mayan").notes.size() == 1);
    CHECK(info({1, 2}, "hours since 2019-03-01", "", H5T_STD_I32BE).start == "2019-03-01T01:00:00Z");
}
