#include "data/formats/sevir_catalogue.h"
#include "src/error.h"
#include "tests/data/raw_hdf5.h"

#include <cmath>
#include <filesystem>
#include <fstream>

using namespace nowcell;

namespace {

const std::string kHeader = "id,file_name,file_index,img_type,time_utc,minute_offsets,pct_missing\n";

std::string refused(const std::string& text) {
    try {
        parse_sevir_catalogue(text, "CATALOG.csv");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::data);
        return error.what();
    }
    return "accepted";
}

// A folder as SEVIR's, with three events of vil and one of ir069.
class Storms {
 public:
    Storms() {
        std::filesystem::create_directories(folder_.path("vil/2019"));
        std::filesystem::create_directories(folder_.path("data/ir069"));
        raw_file(folder_.path("vil/2019/v.h5"), [](hid_t file) { put(file, "/vil", H5T_STD_U8LE, 3, 255); });
        raw_file(folder_.path("data/ir069/i.h5"), [](hid_t file) { put(file, "/ir069", H5T_STD_I16LE, 1, -32768); });
    }

    std::string catalogue(const std::string& rows) const {
        std::ofstream(folder_.path("CATALOG.csv")) << kHeader << rows;
        return folder_.path("CATALOG.csv");
    }

    std::string path(const std::string& name = "") const { return folder_.path(name); }

    // Frames of 3 x 3; value = event * 50 + time, the corner of each frame is missing.
    static double value(hsize_t event, hsize_t row, hsize_t column, hsize_t time, double fill) {
        return row == 2 && column == 2 ? fill : static_cast<double>(event * 50 + time);
    }

 private:
    static void put(hid_t file, const char* name, hid_t type, hsize_t events, double fill) {
        std::vector<double> values;
        for (hsize_t i = 0; i < events * 3 * 3 * 49; ++i) {
            values.push_back(value(i / 441, i / 147 % 3, i / 49 % 3, i % 49, fill));
        }
        H5Dclose(raw_values(file, name, type, {events, 3, 3, 49}, values));
    }

    TemporaryFolder folder_;
};

const std::string kRows =
    "S2,vil/2019/v.h5,1,vil,2019-02-01 00:00:00,-120:-115,0\n"
    "S1,vil/2019/v.h5,0,vil,2019-01-01 00:00:00,-120:-115,0.5\n"
    "S1,vil/2019/v.h5,0,vil,2019-01-01 00:00:00,-120:-115,0.5\n"
    "S3,vil/2020/absent.h5,0,vil,2020-01-01 00:00:00,-120:-115,0\n"
    "S1,ir069/i.h5,0,ir069,2019-01-01 00:00:00,-120:-115,0\n"
    "S1,lght.h5,0,lght,2019-01-01 00:00:00,-120:-115,0\n";

std::string refused(const std::string& path, const std::string& type) {
    try {
        opened(path, type);
    } catch (const Error& error) {
        return error.what() + (" / " + error.problems().front().hint);
    }
    return "accepted";
}

}  // namespace

TEST_CASE("a catalogue is read with quotes, either line ending and columns in any order") {
    const auto events = parse_sevir_catalogue(
        "\xef\xbb\xbfimg_type,more,file_index,file_name,id\r\nvil,\"a \"\"b\"\", "
        "c\nd\",7,\"x/y.h5\",S1\r\n\r\nvis,,0,z.h5,\n",
        "c");
    REQUIRE(events.size() == 2);
    CHECK(events[0].id == "S1");
    CHECK(events[0].file_name == "x/y.h5");
    CHECK(events[0].index == 7);
    CHECK(events[0].image_type == "vil");
    CHECK(events[0].time_utc.empty());
    CHECK(events[0].line == 2);
    CHECK(events[1].file_name == "z.h5");
    CHECK(events[1].line == 5);
    CHECK(parse_sevir_catalogue(kHeader + "S1,a.h5,0,vil,t,m,0.25", "c")[0].missing == 0.25);
}

TEST_CASE("a catalogue that is none is refused with its line") {
    CHECK(holds(refused(""), "CATALOG.csv: line 1: it is empty"));
    CHECK(holds(refused("id,file_name,img_type\n"), "line 1: no column 'file_index'"));
    CHECK(holds(refused(kHeader + "S1,a.h5,0,vil\n"), "line 2: 4 fields, expected 7"));
    CHECK(holds(refused(kHeader + "S1,a.h5,x,vil,t,m,0\n"), "line 2: file_index 'x'"));
    CHECK(holds(refused(kHeader + "S1,a.h5,-1,vil,t,m,0\n"), "file_index '-1'"));
    CHECK(holds(refused(kHeader + "S1,a.h5,99999999999999999999,vil,t,m,0\n"), "file_index"));
    CHECK(holds(refused(kHeader + "S1,\"a.h5,0,vil,t,m,0\n"), "a quote is not closed"));
    CHECK(holds(refused(kHeader + "S1,\"a.h5\"x,0,vil,t,m,0\n"), "text after a quoted field"));
    CHECK(holds(refused(kHeader + std::string(70000, 'x') + "\n"), "more than 64 KiB"));
    CHECK(holds(refused(std::string(1000, ',')), "more than 256 fields"));
}

TEST_CASE("a catalogue cannot lead out of its folder") {
    for (const char* name : {"/etc/passwd", "../x.h5", "a/../../x.h5", "a/..", "..", "a\\x.h5", "a\tb.h5", "\"\""}) {
        INFO(name);
        CHECK(holds(refused(kHeader + "S1," + name + ",0,vil,t,m,0\n"), "not a path below"));
    }
    CHECK(refused(kHeader + "S1,..a/b...h5,0,vil,t,m,0\n") == "accepted");
}

TEST_CASE("events of SEVIR are recordings in the order of time, with the packing of their image type") {
    const Storms storms;
    storms.catalogue(kRows);
    const auto vil = opened(storms.path(), "vil");
    const SourceInfo& info = vil->info();
    CHECK(info.format == "SEVIR");
    CHECK(info.frames == std::vector<std::int64_t>{49, 49});
    CHECK(info.layout == "nhwt");
    CHECK(info.height == 3);
    CHECK(info.step_s == 300);
    CHECK(info.start == "2019-01-01 00:00:00");
    REQUIRE(info.notes.size() == 3);
    CHECK(holds(info.notes[0], "1 rows repeat"));
    CHECK(holds(info.notes[1], "1 events have missing values"));
    CHECK(holds(info.notes[2], "1 of 3 events are left out"));
    std::vector<float> out(2 * 9);
    CHECK(vil->read(1, 20, 2, out.data()) == 2);
    CHECK(out[0] == 70);
    CHECK(std::isnan(out[8]));
    CHECK(out[9] == 71);
    const auto infrared = opened(storms.path("CATALOG.csv"), "ir069");
    CHECK(infrared->info().units == "degC");
    CHECK(infrared->read(0, 48, 1, out.data()) == 1);
    CHECK(out[0] == 0.48F);
    CHECK(std::isnan(out[8]));
}

TEST_CASE("what SEVIR cannot give is refused with the reason") {
    const Storms storms;
    storms.catalogue(kRows);
    CHECK(holds(refused(storms.path(), ""), "several image types: ir069, vil / --dataset ir069"));
    CHECK(holds(refused(storms.path(), "lght"), "lightning strokes"));
    CHECK(holds(refused(storms.path(), "vis"), "no image type 'vis'"));
    storms.catalogue("S1,vil/2019/v.h5,3,vil,t,m,0\n");
    CHECK(holds(refused(storms.path(), "vil"), "line 2: file_index 3"));
    storms.catalogue("S1,vil/2020/w.h5,3,vil,t,m,0\n");
    CHECK(holds(refused(storms.path(), "vil"), "none of the files"));
}
