#include "data/windows.h"
#include "src/error.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <random>

using namespace nowcell;

namespace {

SourceInfo recordings(std::vector<std::int64_t> frames) {
    SourceInfo info;
    info.dataset = "/frames";
    info.frames = std::move(frames);
    return info;
}

SplitOptions split(const std::string& by, std::vector<double> train, std::vector<double> validation,
                   std::vector<double> test) {
    return {by, std::move(train), std::move(validation), std::move(test)};
}

const SplitOptions kEra5 = split("time", {0, 456}, {456, 520}, {540, 744});

std::string message(ExitCode code, const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        CHECK(error.code() == code);
        return error.what();
    }
    FAIL("nothing was thrown");
    return "";
}

std::string cut_message(ExitCode code, const SourceInfo& info, const SplitOptions& parts, Part part = Part::train,
                        WindowOptions window = {2, 1, 1, 0}) {
    return message(code, [&] { cut_windows(info, window, parts, part); });
}

bool has(const std::string& text, const std::string& part) {
    INFO(text);
    const bool found = text.find(part) != std::string::npos;
    CHECK(found);
    return found;
}

}  // namespace

TEST_CASE("windows of a part start on its grid and end inside it") {
    const auto test = cut_windows(recordings({744}), {24, 12, 4, 25}, kEra5, Part::test);
    REQUIRE(test.size() == 43);
    CHECK(test.front().start == 540);
    CHECK(test.back().start == 708);
    CHECK(cut_windows(recordings({744}), {24, 12, 1, 0}, kEra5, Part::train).size() == 456 - 36 + 1);
    CHECK(cut_windows(recordings({744}), {24, 12, 1, 0}, kEra5, Part::all).size() == 744 - 36 + 1);
}

TEST_CASE("history drops windows that lack it and moves none") {
    const auto windows = cut_windows(recordings({744}), {24, 12, 4, 31}, kEra5, Part::train);
    CHECK(windows.front().start == 8);
    CHECK(cut_windows(recordings({744}), {24, 12, 4, 24}, kEra5, Part::train).front().start == 0);
    CHECK(cut_windows(recordings({744}), {24, 12, 4, 200}, kEra5, Part::test).size() == 43);
}

TEST_CASE("fractions are rounded down, and decimal fractions mean what they say") {
    const auto spans = [](std::int64_t frames, std::vector<double> train) {
        return part_spans(recordings({frames}), split("auto", std::move(train), {0.9, 0.9}, {0.95, 1}), Part::train);
    };
    CHECK(spans(10, {0, 0.75}).front().end == 7);
    CHECK(spans(100, {0, 0.29}).front().end == 29);
    CHECK(spans(100, {0.07, 0.57}).front().begin == 7);
    CHECK(spans(100, {0.07, 0.57}).front().end == 57);
}

TEST_CASE("several recordings are split by sequence, one by time, unless told otherwise") {
    const SourceInfo ten = recordings(std::vector<std::int64_t>(10, 20));
    CHECK(part_spans(ten, {}, Part::train).size() == 8);
    CHECK(part_spans(ten, {}, Part::test).front().recording == 9);
    SplitOptions by_time;
    by_time.by = "time";
    CHECK(part_spans(ten, by_time, Part::train).size() == 10);
    CHECK(part_spans(ten, by_time, Part::train).front().end == 16);
    CHECK(part_spans(recordings({100}), {}, Part::validation).front().begin == 80);
}

TEST_CASE("no window crosses a split or a recording, whatever the shapes") {
    std::mt19937 random(3);
    const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
    int checked = 0;
    for (int round = 0; round < 300; ++round) {
        std::vector<std::int64_t> frames;
        for (int i = pick(1, 5); i > 0; --i) frames.push_back(pick(1, 60));
        SourceInfo info = recordings(frames);
        for (const std::int64_t length : frames) {
            info.breaks.emplace_back();
            for (std::int64_t t = 1; t < length; ++t) {
                if (pick(0, 24) == 0) info.breaks.back().push_back(t);
            }
        }
        const double a = pick(0, 8) / 10.0;
        const double b = std::max(a, pick(0, 9) / 10.0);
        const SplitOptions parts = split(pick(0, 1) != 0 ? "time" : "sequence", {0, a}, {a, b}, {b, 1});
        const WindowOptions window{pick(1, 8), pick(1, 8), pick(1, 5), pick(0, 12), pick(1, 3)};
        const auto whole = [&](std::int64_t recording, std::int64_t start) {
            const std::int64_t first =
                start - (std::max(window.history, window.input_steps) - window.input_steps) * window.frame_step;
            const std::int64_t last = start + (window.input_steps + window.output_steps - 1) * window.frame_step;
            bool good = first >= 0 && last < frames[static_cast<std::size_t>(recording)];
            for (const std::int64_t jump : info.breaks[static_cast<std::size_t>(recording)]) {
                good = good && (jump <= first || jump > last);
            }
            return good;
        };
        for (const Part part : {Part::train, Part::validation, Part::test, Part::all}) {
            const std::vector<Span> spans = part_spans(info, parts, part);
            std::vector<Window> windows;
            try {
                windows = cut_windows(info, window, parts, part);
            } catch (const Error& error) {
                CHECK(error.code() == ExitCode::data);
            }
            std::size_t expected = 0;
            for (const Span& span : spans) {
                for (std::int64_t start = span.begin; start < span.end; start += window.stride) {
                    const std::int64_t last =
                        start + (window.input_steps + window.output_steps - 1) * window.frame_step;
                    expected += last < span.end && whole(span.recording, start) ? 1 : 0;
                }
            }
            REQUIRE(windows.size() == expected);
            for (const Window& cut : windows) {
                const auto span = std::find_if(spans.begin(), spans.end(),
                                               [&](const Span& one) { return one.recording == cut.recording; });
                REQUIRE(span != spans.end());
                REQUIRE(cut.start >= span->begin);
                REQUIRE(cut.start + (window.input_steps + window.output_steps - 1) * window.frame_step < span->end);
                REQUIRE(whole(cut.recording, cut.start));
                ++checked;
            }
        }
    }
    CHECK(checked > 1000);
}

TEST_CASE("the three parts share no frame") {
    const SourceInfo info = recordings({97});
    std::vector<int> uses(97, 0);
    for (const Part part : {Part::train, Part::validation, Part::test}) {
        for (const Span& span : part_spans(info, {}, part)) {
            for (std::int64_t t = span.begin; t < span.end; ++t) ++uses[static_cast<std::size_t>(t)];
        }
    }
    CHECK(std::count(uses.begin(), uses.end(), 1) == 97);
}

TEST_CASE("too few frames are named with the numbers that do not fit") {
    const WindowOptions ten{10, 10, 1, 0};
    const SourceInfo shorts = recordings(std::vector<std::int64_t>(20, 12));
    SplitOptions parts = split("sequence", {17, 18}, {18, 19}, {19, 20});
    has(cut_message(ExitCode::data, shorts, parts, Part::train, ten),
        "sequence 17 has 12 frames; input_steps 10 + output_steps 10 need 20");
    has(cut_message(ExitCode::data, recordings({100}), {}, Part::test, ten),
        "the test part of sequence 0 has 10 frames");
    has(cut_message(ExitCode::data, recordings({20}), {}, Part::all, {10, 10, 1, 13}),
        "after 3 more frames of history need 23");
    has(cut_message(ExitCode::data, recordings({20}), split("sequence", {0, 0.8}, {0.8, 0.9}, {0.9, 1})),
        "the train part has no sequences; /frames has 1");
}

TEST_CASE("a bad split is refused by the name of its key") {
    const SourceInfo info = recordings({744});
    has(cut_message(ExitCode::usage, info, split("time", {0, 456}, {456, 520}, {540, 800})),
        "data.split.test = [540, 800] reaches beyond the 744 frames of /frames");
    has(cut_message(ExitCode::usage, info, split("time", {0, 500}, {456, 520}, {540, 744})),
        "data.split.validation = [456, 520] overlaps data.split.train = [0, 500]");
    has(cut_message(ExitCode::usage, info, split("time", {0, 0.9}, {0.9, 0.95}, {540, 744})), "data.split.test");
    has(cut_message(ExitCode::usage, info, split("time", {0, 0.8, 1}, {0.8, 0.9}, {0.9, 1})),
        "data.split.train has 3 numbers");
    has(cut_message(ExitCode::usage, info, split("time", {0.5, 0.2}, {0.8, 0.9}, {0.9, 1})),
        "data.split.train is [0.5, 0.2]");
    has(cut_message(ExitCode::usage, info, split("time", {-1, 5}, {0.8, 0.9}, {0.9, 1})),
        "data.split.train is [-1, 5]");
    has(cut_message(ExitCode::usage, info, split("time", {0, 5.5}, {0.8, 0.9}, {0.9, 1})), "expected two fractions");
    has(cut_message(ExitCode::usage, info, split("tme", {0, 5}, {0.8, 0.9}, {0.9, 1})), "data.split_by: got 'tme'");
    has(cut_message(ExitCode::usage, recordings({5, 5, 5}), split("auto", {0, 2}, {2, 3}, {3, 4})),
        "reaches beyond the 3 sequences");
}

TEST_CASE("window lengths are at least one") {
    has(cut_message(ExitCode::usage, recordings({9}), {}, Part::all, {0, 1, 1, 0}),
        "data.input_steps must be at least 1, got 0");
    has(cut_message(ExitCode::usage, recordings({9}), {}, Part::all, {1, 0, 1, 0}), "data.output_steps");
    has(cut_message(ExitCode::usage, recordings({9}), {}, Part::all, {1, 1, -2, 0}),
        "data.stride must be at least 1, got -2");
}

TEST_CASE("names of parts read back") {
    for (const Part part : {Part::train, Part::validation, Part::test, Part::all})
        CHECK(part_from(to_string(part)) == part);
    has(message(ExitCode::usage, [] { part_from("tset"); }), "got 'tset', expected train, validation, test or all");
}

TEST_CASE("steps of a window may be several frames apart") {
    const WindowOptions window{3, 2, 2, 0, 4};
    CHECK(window.reach(5) == 17);
    const auto windows = cut_windows(recordings({20}), window, {}, Part::all);
    REQUIRE(windows.size() == 2);
    CHECK(windows[1].start == 2);
    WindowOptions deep = window;
    deep.history = 4;  // one step before the window: four frames
    CHECK(cut_windows(recordings({40}), deep, {}, Part::all).front().start == 4);
    CHECK(deep.first_frame(4) == 0);
    has(cut_message(ExitCode::data, recordings({16}), {}, Part::all, window),
        "input_steps 3 + output_steps 2, 4 frames apart, need 17");
    has(cut_message(ExitCode::usage, recordings({16}), {}, Part::all, {3, 2, 1, 0, 0}), "data.frame_step");
}

TEST_CASE("no window reaches across a jump of time, and neither does its history") {
    SourceInfo info = recordings({30});
    info.breaks = {{10}};
    CHECK(continuous(info, 0, 0, 9));
    CHECK_FALSE(continuous(info, 0, 9, 10));
    CHECK(continuous(info, 0, 10, 29));
    const auto starts = [&](std::int64_t history) {
        std::vector<std::int64_t> out;
        for (const Window& window : cut_windows(info, {4, 2, 1, history}, {}, Part::all)) out.push_back(window.start);
        return out;
    };
    CHECK(starts(0).size() == 5 + 15);
    CHECK(starts(0)[5] == 10);
    CHECK(starts(6)[3] == 12);  // 2 .. 4 before the jump, then from 12 on
    info.breaks = {{5, 10, 15, 20, 25}};
    has(cut_message(ExitCode::data, info, {}, Part::all, {4, 2, 1, 0}), "but time jumps between them");
}

TEST_CASE("history reaches before a part, but never into the test part") {
    const SourceInfo info = recordings({100});
    const SplitOptions first_is_test = split("time", {20, 80}, {80, 100}, {0, 20});
    const WindowOptions window{4, 2, 1, 10};
    CHECK(cut_windows(info, window, first_is_test, Part::train).front().start == 26);
    CHECK(cut_windows(info, window, first_is_test, Part::validation).front().start == 80);
    const SplitOptions last_is_test = split("time", {0, 60}, {60, 80}, {80, 100});
    CHECK(cut_windows(info, window, last_is_test, Part::validation).front().start == 60);
    CHECK(cut_windows(info, window, last_is_test, Part::test).front().start == 80);
    has(cut_message(ExitCode::data, info, split("time", {20, 32}, {80, 100}, {0, 20}), Part::train, {4, 2, 1, 20}),
        "after 16 more frames of history need 22");
}

TEST_CASE("parts can be the files that recordings come from") {
    SourceInfo ten = recordings(std::vector<std::int64_t>(10, 20));
    const SplitOptions by_file = split("file", {0, 0.8}, {0.8, 0.9}, {0.9, 1});
    has(cut_message(ExitCode::usage, ten, by_file), "it is one file of 10 recordings");
    ten.files = 10;
    CHECK(part_spans(ten, by_file, Part::train).size() == 8);
    CHECK(part_spans(ten, by_file, Part::test).front().recording == 9);
    SourceInfo frames = recordings({92});
    frames.files = 92;
    has(cut_message(ExitCode::usage, frames, by_file), "its 92 files are one recording");
}

TEST_CASE("choosing by the test part is refused in every way to split, and said why") {
    SourceInfo many = recordings(std::vector<std::int64_t>(20, 20));
    many.files = 20;
    for (const char* by : {"time", "sequence", "file", "auto"}) {
        INFO(by);
        for (const Part part : {Part::train, Part::validation}) {
            const std::string why = "the best epoch would be chosen on the test part";
            has(cut_message(ExitCode::usage, many, split(by, {0, 0.5}, {0.5, 1}, {0.5, 1}), part), why);
            has(cut_message(ExitCode::usage, many, split(by, {0, 0.5}, {0.5, 0.8}, {15, 20}), part), why);
        }
        has(cut_message(ExitCode::data, many, split(by, {0, 0.5}, {0.52, 0.54}, {0.55, 1}), Part::validation),
            "validation part");
    }
}
