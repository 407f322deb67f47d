// nowcell data info, check, stats, preview, convert and repack, through the program.
#include "data/frame_source.h"
#include "data/write/hdf5_io.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// A folder of sources, one of each kind.
struct Sources {
    Sources() {
        at::manual_seed(5);
        values = at::randint(0, 200, {9, 14, 18}, at::kByte);
        torch::Tensor packed = at::randint(0, 3000, {9, 14, 18}, at::kInt).to(at::kUInt16);
        packed[4][3][5] = 65535;
        nowcell::write_hdf5(folder.path("packed.h5"),
                            {{"/rain",
                              packed,
                              {1, 14, 18},
                              {{"scale_factor", 0.01},
                               {"_FillValue", 65535.0},
                               {"units", std::string("mm")},
                               {"step_s", 300.0},
                               {"start", std::string("2010-08-26 00:00")}}}},
                            {});
        nowcell::write_hdf5(folder.path("float.h5"), {{"/frames", at::rand({3, 6, 8, 10}), {}, {}}}, {});
        torch::Tensor hours = at::tensor(std::vector<double>{0, 1, 2, 3, 6, 7, 8, 9, 10});
        nowcell::write_hdf5(folder.path("gap.h5"),
                            {{"/frames", values, {}, {}},
                             {"/time", hours, {}, {{"units", std::string("hours since 2001-02-28 00:00")}}}},
                            {});
        pictures("pictures", 0, 9);
        pictures("scenes/a", 0, 4);
        pictures("scenes/b", 4, 9);
        fs::create_directories(folder.path("mixed"));
        fs::copy(folder.path("packed.h5"), folder.path("mixed/good.h5"));
        std::ofstream(folder.path("mixed/torn.h5"), std::ios::binary)
            << text_of(folder.path("packed.h5")).substr(0, 900);
        std::ofstream(folder.path("mixed/page.h5")) << "<html>not found</html>";
        std::ofstream(folder.path("mixed/torn.png"), std::ios::binary)
            << text_of(folder.path("pictures/frame0.png")).substr(0, 60);
        std::ofstream(folder.path("mixed/README.txt")) << "what this is\n";
    }

    void pictures(const std::string& name, std::int64_t first, std::int64_t last) const {
        fs::create_directories(folder.path(name));
        for (std::int64_t t = first; t < last; ++t) {
            torch::Tensor frame = values[t].contiguous();
            const cv::Mat picture(14, 18, CV_8UC1, frame.data_ptr());
            REQUIRE(cv::imwrite(folder.path(name + "/frame" + std::to_string(t) + ".png"), picture));
        }
    }

    Outcome run(std::vector<std::string> words, int code = 0) const {
        words.insert(words.begin(), "data");
        const Outcome outcome = run_nowcell(words, folder.path());
        std::string line;
        for (const std::string& word : words) line += word + " ";
        INFO(line << "\n" << outcome.out << outcome.err);
        CHECK(outcome.code == code);
        return outcome;
    }

    json report(std::vector<std::string> words, int code = 0) const {
        words.insert(words.end(), {"--json", "-"});
        return json::parse(run(words, code).out);
    }

    // All frames of a source, recordings one after the other.
    torch::Tensor frames(const std::string& name, const std::string& dataset = "") const {
        nowcell::SourceOptions options;
        options.path = folder.path(name);
        options.dataset = dataset;
        options.missing = "mask";
        options.trust = "direct";
        const auto source = nowcell::open_source(options);
        std::vector<torch::Tensor> all;
        for (std::size_t r = 0; r < source->info().frames.size(); ++r) {
            all.push_back(source->read(static_cast<std::int64_t>(r), 0, source->info().frames[r]));
        }
        return at::cat(all);
    }

    TemporaryFolder folder;
    torch::Tensor values;
};

void fails(const Sources& sources, std::vector<std::string> words, int code, const std::vector<std::string>& parts) {
    const std::vector<std::string> before = tree(sources.folder.path());
    const Outcome outcome = sources.run(std::move(words), code);
    CHECK(outcome.out.empty());
    for (const std::string& part : parts) {
        INFO(part << " in " << outcome.err);
        CHECK(holds(outcome.err, part));
    }
    CHECK(tree(sources.folder.path()) == before);
}

}  // namespace

TEST_CASE("data info describes each kind of source") {
    const Sources sources;
    const json packed = sources.report({"info", "packed.h5", "--window", "3"});
    CHECK(packed.at("schema") == "nowcell.data_info/2");
    CHECK(packed.at("units") == "mm");
    CHECK(packed.at("type") == "uint16");
    CHECK(packed.at("missing") == 1);
    CHECK(packed.at("step_s") == 300);
    CHECK(packed.at("read_amplification") == 1.0);
    CHECK(packed.at("fingerprint").get<std::string>().size() == 16);
    const torch::Tensor values = sources.frames("packed.h5");
    const torch::Tensor known = values.masked_select(values.isfinite()).to(at::kDouble);
    CHECK(packed.at("mean").get<double>() == Catch::Approx(known.mean().item<double>()));
    CHECK(packed.at("max").get<double>() == known.max().item<double>());

    const json gap = sources.report({"info", "gap.h5", "--quick"});
    CHECK(gap.at("gaps") == json::parse("[[4]]"));
    CHECK_FALSE(gap.contains("missing"));
    CHECK(holds(sources.run({"info", "gap.h5"}).out, "time jumps 1 time, in front of frame 4"));

    const json pictures = sources.report({"info", "pictures", "--rows", "2:9", "--columns", "0:6"});
    CHECK(pictures.at("files") == 9);
    CHECK(pictures.at("height") == 7);
    CHECK(pictures.at("first_row") == 2);
    CHECK(pictures.at("read_amplification") == 6.0);
    const std::string text = sources.run({"info", "pictures", "--rows", "2:9", "--columns", "0:6"}).out;
    CHECK(holds(text, "nowcell data repack pictures --window 20 --rows 2:9 --columns 0:6"));
    CHECK(sources.report({"info", "scenes"}).at("frames") == json::parse("[4, 5]"));
    CHECK(sources.report({"info", "scenes", "--trust", "direct"}) == sources.report({"info", "scenes"}));

    fails(sources, {"info", "pictures", "--rows", "9:2"}, 2, {"--rows", "BEGIN < END"});
    fails(sources, {"info", "pictures", "--rows", "2"}, 2, {"--rows"});
    fails(sources, {"info", "pictures", "--rows", "0:99"}, 2, {"[0, 99]", "14"});
    fails(sources, {"info", "none"}, 3, {"none"});
    fails(sources, {"info", "packed.h5", "-o", "packed.h5", "--force"}, 7, {"would replace"});
}

TEST_CASE("data check reads everything, names the bad ones and never stops") {
    const Sources sources;
    const Outcome good = sources.run({"check", "packed.h5", "pictures", "scenes"});
    CHECK(holds(good.out, "3 usable, 0 refused"));
    const json mixed = sources.report({"check", "mixed", "packed.h5", "absent.h5"}, 3);
    CHECK(mixed.at("schema") == "nowcell.data_check/1");
    CHECK(mixed.at("usable") == 2);
    CHECK(mixed.at("refused") == 4);
    CHECK(mixed.at("passed_over") == 1);
    for (const json& one : mixed.at("files")) {
        const std::string path = one.at("path");
        const bool fine = holds(path, "good.h5") || path == "packed.h5";
        const bool text = holds(path, "README");
        INFO(one.dump());
        CHECK(one.at("verdict") == (fine ? "ok" : text ? "passed over" : "refused"));
        CHECK_FALSE(one.at("what").get<std::string>().empty());
    }
    CHECK(sources.report({"check", "pictures", "--each"}).at("usable") == 9);
    CHECK(sources.report({"check", "pictures", "gap.h5", "--rows", "0:14", "--columns", "0:19"}, 3).at("refused") > 1);
    // A torn value behind a good header is found by its checksum.
    nowcell::write_hdf5(sources.folder.path("sums.h5"), {{"/frames", sources.values, {3, 14, 18}, {}}}, {});
    std::string bytes = text_of(sources.folder.path("sums.h5"));
    const std::size_t middle = bytes.size() - 400;
    bytes[middle] = static_cast<char>(bytes[middle] ^ 0x55);
    std::ofstream(sources.folder.path("sums.h5"), std::ios::binary) << bytes;
    CHECK(holds(sources.run({"check", "sums.h5"}, 3).out, "refused"));
}

TEST_CASE("data check of the hostile files ends with a verdict for each") {
    const std::string files = shared_data("hostile_images");
    if (files.empty()) {
        WARN("skipped: no hostile files here");
        return;
    }
    const Sources sources;
    const json report = sources.report({"check", files, "--each"}, 3);
    CHECK(report.at("files").size() >= 80);
    for (const json& one : report.at("files")) {
        if (holds(one.at("path"), "truncated_jpeg")) CHECK(one.at("verdict") == "refused");
        if (holds(one.at("path"), "basn0g08")) CHECK(one.at("verdict") == "ok");
    }
}

TEST_CASE("data convert keeps integers, packing, units and time") {
    const Sources sources;
    const auto same = [&](const std::string& a, const std::string& b, const std::string& dataset = "") {
        INFO(a << " " << b);
        CHECK(at::equal(sources.frames(a).nan_to_num(-1.0), sources.frames(b, dataset).nan_to_num(-1.0)));
    };
    const json packed = sources.report({"convert", "packed.h5", "-o", "new/packed.h5"});
    CHECK(packed.at("schema") == "nowcell.data_convert/1");
    CHECK(packed.at("type") == "uint16");
    same("packed.h5", "new/packed.h5");
    CHECK(at::equal(nowcell::read_hdf5(sources.folder.path("packed.h5"), "/rain").to(at::kInt),
                    nowcell::read_hdf5(sources.folder.path("new/packed.h5"), "/frames").to(at::kInt)));
    const json info = sources.report({"info", "new/packed.h5"});
    CHECK(info.at("scale") == 0.01);
    CHECK(info.at("fill") == 65535);
    CHECK(info.at("units") == "mm");
    CHECK(info.at("step_s") == 300);
    CHECK(holds(info.at("start"), "2010-08-26"));
    CHECK(info.at("filters") == "shuffle, gzip 4, fletcher32");

    for (const char* name : {"pictures", "float.h5"}) {
        for (const char* end : {".h5", ".npy"}) {
            const std::string out = fs::path(name).stem().string() + "_out" + end;
            const json report = sources.report({"convert", name, "-o", out});
            CHECK(report.at("type") == (std::string(name) == "pictures" ? "uint8" : "float32"));
            same(name, out);
        }
    }
    CHECK(sources.report({"convert", "packed.h5", "-o", "packed.npy"}).at("type") == "float32");
    same("packed.h5", "packed.npy");

    // Recordings of different lengths and jumps of time make a dataset each.
    sources.run({"convert", "scenes", "-o", "scenes.h5"});
    same("scenes", "scenes.h5", "/recording_*");
    const json cut = sources.report({"convert", "gap.h5", "-o", "cut.h5"});
    CHECK(cut.at("datasets").size() == 2);
    same("gap.h5", "cut.h5", "/recording_*");
    fails(sources, {"convert", "scenes", "-o", "scenes.npy"}, 3, {"different lengths", ".h5"});

    sources.run({"convert", "pictures", "-o", "part.h5", "--rows", "3:9", "--columns", "1:6"});
    CHECK(at::equal(sources.frames("part.h5"), sources.frames("pictures").slice(2, 3, 9).slice(3, 1, 6)));
}

TEST_CASE("data convert goes through NumPy and back without a change") {
    const Sources sources;
    sources.run({"convert", "pictures", "-o", "a.npy"});
    sources.run({"convert", "a.npy", "-o", "b.h5"});
    sources.run({"convert", "b.h5", "-o", "c.npy"});
    CHECK(text_of(sources.folder.path("a.npy")) == text_of(sources.folder.path("c.npy")));
}

TEST_CASE("data repack makes a chunk of a window") {
    const Sources sources;
    const json long_one = sources.report({"repack", "packed.h5", "-o", "r.h5", "--window", "4"});
    CHECK(long_one.at("chunk") == json::parse("[4, 14, 18]"));
    CHECK(long_one.at("read_amplification_after").get<double>() > 1.5);
    const Outcome advised = sources.run({"repack", "packed.h5", "-o", "r.h5", "--window", "4", "--force"});
    CHECK(holds(advised.err, "--chunk 2"));
    CHECK(holds(advised.out, "1.00 -> "));
    const json sequences = sources.report({"repack", "float.h5", "-o", "s.h5", "--window", "6"});
    CHECK(sequences.at("chunk") == json::parse("[1, 6, 8, 10]"));
    CHECK(sequences.at("read_amplification_after") == 1.0);
    CHECK(at::equal(sources.frames("float.h5"), sources.frames("s.h5")));
    // A chunk of large frames holds fewer rows.
    nowcell::write_hdf5(sources.folder.path("large.h5"),
                        {{"/frames",
                          at::arange(3 * 1500 * 2000, at::kInt).view({3, 1500, 2000}).remainder(251).to(at::kFloat),
                          {},
                          {}}},
                        {});
    const json large = sources.report({"repack", "large.h5", "-o", "l.h5", "--window", "3"});
    CHECK(large.at("chunk") == json::parse("[3, 500, 2000]"));
    CHECK(at::equal(sources.frames("large.h5"), sources.frames("l.h5")));
}

TEST_CASE("data convert and preview replace nothing that is not theirs") {
    const Sources sources;
    fails(sources, {"convert", "packed.h5", "-o", "float.h5"}, 7, {"float.h5 exists", "--force"});
    fails(sources, {"convert", "packed.h5", "-o", "./packed.h5", "--force"}, 7, {"would replace"});
    fails(sources, {"preview", "pictures", "-o", "pictures/frame0.png"}, 7, {"would replace"});
    fails(sources, {"preview", "pictures", "-o", "pictures/frame0.png", "--force"}, 7, {"would replace"});
    fails(sources, {"convert", "packed.h5", "-o", "x.tif"}, 2, {".tif", ".h5"});
    fails(sources, {"repack", "packed.h5", "-o", "x.npy"}, 2, {".npy"});
    fails(sources, {"convert", "mixed/torn.h5", "-o", "new/x.h5"}, 3, {"torn.h5"});
    fails(sources, {"convert", "packed.h5", "-o", "float.h5/x.h5"}, 7, {"float.h5"});
    fails(sources, {"preview", "packed.h5", "-o", "x.jpg"}, 2, {".jpg", ".png"});
    fails(sources, {"preview", "packed.h5", "-o", "x.png", "--recording", "3"}, 3, {"--recording 0 to 0"});
    fails(sources, {"preview", "packed.h5", "-o", "x.png", "--start", "9"}, 3, {"--start 0 to 8"});
}

TEST_CASE("a disk that fills up stops a conversion before it breaks") {
    const Sources sources;
    const std::string disk = sources.folder.path("disk");
    fs::create_directory(disk);
    if (::geteuid() != 0 || ::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
        WARN("skipped: cannot mount a small file system here");
        return;
    }
    struct Unmount {
        std::string path;
        ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
    };
    const Unmount unmount{disk};
    nowcell::write_hdf5(sources.folder.path("noise.h5"), {{"/frames", at::rand({40, 100, 200}), {}, {}}}, {});
    fails(sources, {"convert", "noise.h5", "-o", "disk/x.h5", "--window", "4"}, 7,
          {"disk/x.h5", "more needed", "MB free", "--output"});
    fails(sources, {"convert", "noise.h5", "-o", "disk/x.npy"}, 7, {"disk/x.npy", "more needed"});
    // What does fit is written, and what was kept free is given back.
    sources.run({"convert", "noise.h5", "-o", "disk/y.h5", "--rows", "0:30", "--window", "4"});
    CHECK(at::equal(sources.frames("disk/y.h5"), sources.frames("noise.h5").slice(2, 0, 30)));
    CHECK(static_cast<double>(fs::space(disk).available) > 2.0 * (1 << 20) - 1.15e6);
}

TEST_CASE("data stats are those of the values") {
    const Sources sources;
    const json stats = sources.report({"stats", "packed.h5"});
    CHECK(stats.at("schema") == "nowcell.data_stats/1");
    CHECK(stats.at("missing") == 1);
    CHECK(stats.at("frames_with_missing") == 1);
    CHECK(stats.at("most_missing").at(0).at("frame") == 4);
    const torch::Tensor all = sources.frames("packed.h5");
    const torch::Tensor known = std::get<0>(all.masked_select(all.isfinite()).to(at::kDouble).sort());
    const json channel = stats.at("channels").at(0);
    CHECK(channel.at("percentiles_exact") == true);
    for (const auto& [name, q] : {std::pair("1", 0.01), {"50", 0.5}, {"99", 0.99}}) {
        const auto at = static_cast<std::int64_t>(q * static_cast<double>(known.numel() - 1));
        CHECK(channel.at("percentiles").at(name) == known[at].item<double>());
    }
    CHECK(channel.at("mean").get<double>() == Catch::Approx(known.mean().item<double>()));
    CHECK(channel.at("deviation").get<double>() == Catch::Approx(known.std(false).item<double>()));

    torch::Tensor odd = at::zeros({6, 4, 4});
    odd[1].fill_(2.0F);  // constant
    odd[2] = at::arange(16, at::kFloat).view({4, 4});
    odd[3] = odd[2];          // repeated
    odd[4] = odd[2] + 100.0;  // the jump
    odd[5] = odd[2] + 100.5;
    nowcell::write_hdf5(sources.folder.path("odd.h5"), {{"/frames", odd, {}, {}}}, {});
    const json found = sources.report({"stats", "odd.h5"});
    CHECK(found.at("constant_frames") == 2);
    CHECK(found.at("repeated_frames") == 1);
    CHECK(found.at("largest_jump").at("frame") == 4);
    CHECK(found.at("largest_jump").at("mean_change") == 100.0);
    CHECK(holds(sources.run({"stats", "odd.h5"}).out, "percentiles"));
}

TEST_CASE("data preview draws what is there") {
    const Sources sources;
    const json sheet = sources.report({"preview", "packed.h5", "-o", "p/sheet.png", "--frames", "6"});
    CHECK(sheet.at("frames") == 6);
    CHECK(sheet.at("units") == "mm");
    const cv::Mat picture = cv::imread(sources.folder.path("p/sheet.png"));
    REQUIRE_FALSE(picture.empty());
    CHECK(picture.cols > 300);
    sources.run({"preview", "pictures", "-o", "p/a.gif", "--start", "2", "--frames", "5"});
    // The animation is a source itself.
    const json gif = sources.report({"info", "p/a.gif"});
    CHECK(gif.at("format") == "GIF");
    CHECK(gif.at("frames") == json::parse("[5]"));
    CHECK_FALSE(gif.contains("read_amplification"));
    CHECK(sources.report({"convert", "p/a.gif", "-o", "p/a.h5"}).at("type") == "uint8");
    sources.run({"preview", "scenes", "-o", "p/b.png", "--recording", "1"});
    CHECK(cv::imread(sources.folder.path("p/b.png")).cols > 300);
}

TEST_CASE("radar in one file a frame repacks to the values of the stacked copy") {
    const std::string radar = shared_data("knmi_radar");
    if (radar.empty()) {
        WARN("skipped: no radar data here");
        return;
    }
    const Sources sources;
    sources.run({"repack", radar + "/original", "--rows", "220:637", "--columns", "160:579", "-o", "r.h5"});
    CHECK(at::equal(nowcell::read_hdf5(sources.folder.path("r.h5"), "/frames").to(at::kInt),
                    nowcell::read_hdf5(radar + "/knmi_radar_20100826.h5", "/frames").to(at::kInt)));
    CHECK(sources.report({"info", "r.h5", "--quick"}).at("step_s") == 300);
}
