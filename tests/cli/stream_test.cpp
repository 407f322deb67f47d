// The program as a service: files that come into a folder, arrays on standard input, kills and signals.
#include "predict/stream/stream.h"
#include "data/write/hdf5_io.h"
#include "data/write/npy_stream.h"
#include "src/checkpoint.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/support/program.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <thread>

using namespace nowcell;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kHeight = 6, kWidth = 8, kInput = 4, kLeads = 2;
const double kNan = std::numeric_limits<double>::quiet_NaN();

Forecaster small_model(int seed = 1) {
    const Config config =
        Config::parse("[[model.layers]]\nfilters = 3\n", "small",
                      {"data.path=memory", "data.input_steps=4", "data.output_steps=2", "data.missing=mask"});
    at::set_num_threads(1);  // two that wait for each other are slower on frames this small
    at::manual_seed(seed);
    const TrainedOn on{1, kHeight, kWidth, "1", 300.0, "memory", "/frames", ""};
    return {config,       make_sequence_model(1, ModelOptions::from(config), on.frame()),
            Normalizer{}, BaselineOptions{0, 0.9, at::zeros({1, kHeight, kWidth}), 0.0},
            on,           torch::kCPU};
}

void save_model(const std::string& path, int seed = 1) {
    Checkpoint checkpoint;
    small_model(seed).put(checkpoint);
    checkpoint.save(path);
}

torch::Tensor frame(std::int64_t step) {
    at::manual_seed(static_cast<std::uint64_t>(step) + 100);
    return at::rand({kHeight, kWidth});
}

// "radar_20260101_0035.npy" of step 7.
std::string name_of(std::int64_t step) {
    return fmt::format("radar_20260101_{:02}{:02}.npy", step / 12, step % 12 * 5);
}

void write_frame(const std::string& path, const torch::Tensor& values) {
    stream_npy(path, at::kFloat, values.sizes().vec(), [&](NpyStream& out) { out.append(values); });
}

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<nlohmann::json> lines_of(const std::string& path) {
    std::ifstream in(path);
    std::vector<nlohmann::json> out;
    for (std::string line; std::getline(in, line);) out.push_back(nlohmann::json::parse(line));
    return out;
}

// The last line about each frame of a status file, by sequence number.
std::map<std::int64_t, nlohmann::json> told(const std::string& path) {
    std::map<std::int64_t, nlohmann::json> out;
    for (const auto& line : lines_of(path)) {
        if (line.contains("sequence")) out[line.at("sequence")] = line;
    }
    return out;
}

// A program that runs while the test goes on; killed at the end if it still does.
class Running {
 public:
    Running(const std::vector<std::string>& words, const std::string& folder, const std::string& err = "err.txt")
        : folder_(folder), err_(folder + "/" + err) {
        process_ = ::fork();
        if (process_ != 0) return;
        const std::string program = nowcell_program();
        std::vector<char*> arguments = {const_cast<char*>(program.c_str())};
        for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        if (::chdir(folder.c_str()) != 0) ::_exit(126);
        ::dup2(::open("/dev/null", O_RDWR), 0);
        ::dup2(0, 1);
        ::dup2(::open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        ::execv(program.c_str(), arguments.data());
        ::_exit(127);
    }
    ~Running() {
        if (process_ > 0) stop(SIGKILL);
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    int stop(int signal) {
        ::kill(process_, signal);
        return wait();
    }
    int wait() {
        int status = 0;
        ::waitpid(process_, &status, 0);
        process_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    std::string err() const { return bytes_of(err_); }

    // Until the status file has so many frames.
    void wait_for(const std::string& status, std::size_t frames) const {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
        while (told(folder_ + "/" + status).size() < frames) {
            INFO(err());
            REQUIRE(std::chrono::steady_clock::now() < end);
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }

 private:
    std::string folder_;
    std::string err_;
    pid_t process_;
};

std::vector<std::string> words(const std::vector<std::string>& more = {}) {
    std::vector<std::string> out = {
        "stream",    "--model", "model.safetensors", "--input", "in",       "--output", "out",
        "--threads", "1",       "--status",          "s.jsonl", "--settle", "0.3"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

torch::Tensor forecast_in(const std::string& path) { return read_hdf5(path, "/frames")[0]; }

torch::Tensor expected(const Forecaster& model, std::int64_t last) {
    std::vector<torch::Tensor> past;
    for (std::int64_t step = last - kInput + 1; step <= last; ++step) past.push_back(frame(step).unsqueeze(0));
    return model.forecast(at::stack(past).unsqueeze(0), kLeads)[0].squeeze(1);
}

// A folder with a model and an empty "in".
struct Place {
    TemporaryFolder folder;
    Place() {
        save_model(folder.path("model.safetensors"));
        fs::create_directory(folder.path("in"));
    }
    std::string path(const std::string& name = "") const { return folder.path(name); }
    void put(std::int64_t step) const { write_frame(path("in/" + name_of(step)), frame(step)); }
};

}  // namespace

TEST_CASE("files that are there and files that come are forecast as predict does") {
    const Place place;
    for (std::int64_t step = 5; step >= 0; --step) place.put(step);
    std::ofstream(place.path("in/.hidden")) << "x";
    std::ofstream(place.path("in/half.npy.part")) << "x";
    Running stream(words({"--state", "state", "--max-frames", "9"}), place.path());
    stream.wait_for("s.jsonl", 6);
    for (std::int64_t step = 6; step < 9; ++step) place.put(step);
    const int code = stream.wait();
    INFO(stream.err());
    REQUIRE(code == 0);
    const Forecaster model = small_model();
    const auto lines = told(place.path("s.jsonl"));
    REQUIRE(lines.size() == 9);
    for (const auto& [sequence, line] : lines) {
        INFO(line.dump());
        CHECK(line.at("source") == "in/" + name_of(sequence - 1));
        CHECK(line.at("result") == "accepted");
        CHECK(line.at("time") == fmt::format("2026-01-01T00:{:02}:00", 5 * (sequence - 1)));
        REQUIRE(line.at("forecast").is_null() == (sequence < kInput));
        if (sequence < kInput) continue;
        const std::string file = line.at("forecast");
        CHECK(file == fmt::format("out/forecast_20260101T00{:02}00.h5", 5 * (sequence - 1)));
        CHECK(at::equal(forecast_in(place.path(file)), expected(model, sequence - 1)));
    }
    // And as the program predict does.
    std::vector<torch::Tensor> past;
    for (std::int64_t step = 5; step < 9; ++step) past.push_back(frame(step));
    write_frame(place.path("past.npy"), at::stack(past));
    const Outcome predicted = run_nowcell({"predict", "--model", "model.safetensors", "--input", "past.npy", "--output",
                                           "batch", "--no-pictures", "--threads", "1"},
                                          place.path());
    INFO(predicted.err);
    REQUIRE(predicted.code == 0);
    CHECK(at::equal(forecast_in(place.path("batch/forecast.h5")),
                    forecast_in(place.path("out/forecast_20260101T004000.h5"))));
}

TEST_CASE("a file is read once it is whole, however slowly it is written") {
    const Place place;
    for (std::int64_t step = 0; step < 5; ++step) place.put(step);
    write_frame(place.path("late.npy"), frame(5));
    const std::string bytes = bytes_of(place.path("late.npy"));
    Running stream(words({"--max-frames", "7"}), place.path());
    stream.wait_for("s.jsonl", 5);
    {
        std::ofstream out(place.path("in/" + name_of(5)), std::ios::binary);
        out << bytes.substr(0, 100) << std::flush;
        std::this_thread::sleep_for(std::chrono::milliseconds(1500));
        CHECK(told(place.path("s.jsonl")).size() == 5);
        out << bytes.substr(100);
    }
    fs::copy(place.path("late.npy"), place.path("x"));
    write_frame(place.path("x"), frame(6));
    fs::rename(place.path("x"), place.path("in/" + name_of(6)));
    REQUIRE(stream.wait() == 0);
    for (const auto& [sequence, line] : told(place.path("s.jsonl"))) CHECK(line.at("result") == "accepted");
    CHECK(at::equal(forecast_in(place.path("out/forecast_20260101T003000.h5")), expected(small_model(), 6)));
}

TEST_CASE("arrays go in on standard input and forecasts come out on standard output") {
    const Place place;
    std::string input;
    for (std::int64_t step = 0; step < 8; ++step) {
        if (step == 5) {  // neither is taken
            write_frame(place.path("x.npy"), at::rand({kHeight, kWidth + 1}));
            input += bytes_of(place.path("x.npy"));
            write_frame(place.path("x.npy"), at::rand({2, kHeight, kWidth}));
            input += bytes_of(place.path("x.npy"));
        }
        write_frame(place.path("x.npy"), step % 2 == 0 ? frame(step) : frame(step).unsqueeze(0));
        input += bytes_of(place.path("x.npy"));
    }
    const auto run = [&](const std::string& bytes, const std::string& more) {
        std::ofstream(place.path("input"), std::ios::binary) << bytes;
        const std::string command = fmt::format(
            "cd {} && {} stream --model model.safetensors --input - --threads 1 --status s.jsonl {} < input > output "
            "2> err.txt",
            place.path(), nowcell_program(), more);
        const int status = std::system(command.c_str());
        return WEXITSTATUS(status);
    };
    REQUIRE(run(input, "--output -") == 0);
    const Forecaster model = small_model();
    std::string whole;
    for (std::int64_t last = kInput - 1; last < 8; ++last) {
        write_frame(place.path("x.npy"), expected(model, last).unsqueeze(1));
        whole += bytes_of(place.path("x.npy"));
    }
    CHECK(bytes_of(place.path("output")) == whole);
    const auto lines = told(place.path("s.jsonl"));
    REQUIRE(lines.size() == 10);
    CHECK(lines.at(6).at("flags") == std::vector<std::string>{"wrong-size"});
    CHECK(lines.at(7).at("flags") == std::vector<std::string>{"wrong-channels"});

    // In two pieces, with a state between them: the second is told where to go on.
    const std::size_t frame_bytes = bytes_of(place.path("x.npy")).size();
    REQUIRE(frame_bytes > 0);
    fs::remove(place.path("s.jsonl"));
    write_frame(place.path("x.npy"), frame(0));
    const std::size_t five = bytes_of(place.path("x.npy")).size() * 5;
    REQUIRE(run(input.substr(0, five), "--output - --state state") == 0);
    std::string output = bytes_of(place.path("output"));
    REQUIRE(run(input.substr(five), "--output - --state state") == 0);
    output += bytes_of(place.path("output"));
    CHECK(output == whole);
    const auto all = lines_of(place.path("s.jsonl"));
    const auto resumed = std::find_if(all.begin(), all.end(), [](const auto& line) {
        return line.contains("event") && line.at("event") == "resumed";
    });
    REQUIRE(resumed != all.end());
    CHECK(resumed->at("next_sequence") == 6);

    CHECK(run(input + "garbage that is no array", "--output -") == 3);
    CHECK(holds(bytes_of(place.path("err.txt")), fmt::format("byte {}", input.size())));
    CHECK(run(input.substr(0, input.size() - 3), "--output -") == 3);
    CHECK(run(input, "--output - --status -") == 2);
}

namespace {

// A series of files, a few of them bad: name and content, in the order in which they come.
struct File {
    std::string name;
    std::string bytes;
    bool bad;
};

std::vector<File> files_with_bad_ones(const Place& place, std::int64_t count, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<File> out;
    std::int64_t newest = -1;
    const auto content = [&](const torch::Tensor& values) {
        write_frame(place.path("content.npy"), values);
        return bytes_of(place.path("content.npy"));
    };
    for (std::int64_t step = 0; step < count; ++step) {
        const std::string good = content(frame(step));
        const auto roll = random() % 12;
        if (roll == 0) out.push_back({"cut_" + name_of(step), good.substr(0, good.size() / 2), true});
        if (roll == 1) out.push_back({fmt::format("junk_{}.txt", step), "not a frame", true});
        if (roll == 2) out.push_back({"large_" + name_of(step), content(at::rand({kHeight + 1, kWidth})), true});
        if (roll == 4 && newest == step - 1) {
            out.push_back({"again_" + name_of(newest), content(frame(step + 500)), true});
        }
        if (roll == 5 && newest > 2) out.push_back({"late_" + name_of(newest - 3), content(frame(step + 900)), true});
        if (roll == 6) continue;  // never comes
        newest = step;
        const bool blank = roll == 3;
        out.push_back({name_of(step), blank ? content(at::full({kHeight, kWidth}, kNan)) : good, blank});
    }
    return out;
}

void bring(const Place& place, const File& file) {
    std::ofstream(place.path("coming"), std::ios::binary) << file.bytes;
    fs::rename(place.path("coming"), place.path("in/" + file.name));
}

// The forecasts of a folder by name, as bytes of their values.
std::map<std::string, std::string> forecasts_in(const std::string& folder) {
    std::map<std::string, std::string> out;
    for (const auto& file : fs::directory_iterator(folder)) {
        const torch::Tensor values = forecast_in(file.path().string());
        out[file.path().filename().string()] = {static_cast<const char*>(values.const_data_ptr()), values.nbytes()};
    }
    return out;
}

// NOWCELL_KILLS: how many; a night has more.
int kills_wanted() {
    const char* text = std::getenv("NOWCELL_KILLS");
    return text != nullptr ? std::min(std::atoi(text), 20) : 6;
}

}  // namespace

TEST_CASE(
    "bad files are flagged, and a stream that is killed at random moments forecasts what an undisturbed one does") {
    const Place calm, place;
    const auto files = files_with_bad_ones(calm, 60, test_seed());
    const auto run_words = words({"--state", "state", "--save-every", "4"});
    {
        Running stream(run_words, calm.path());
        for (std::size_t i = 0; i < files.size(); ++i) {
            bring(calm, files[i]);
            stream.wait_for("s.jsonl", i + 1);
        }
        CHECK(stream.stop(SIGTERM) == 143);
    }
    const auto lines = told(calm.path("s.jsonl"));
    REQUIRE(lines.size() == files.size());
    int bad = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto& line = lines.at(static_cast<std::int64_t>(i) + 1);
        INFO(line.dump());
        CHECK((line.at("result") != "accepted") == files[i].bad);
        if (files[i].bad) CHECK_FALSE(line.at("flags").empty());
        bad += files[i].bad ? 1 : 0;
    }
    CHECK(bad > 5);
    CHECK(lines.rbegin()->second.at("result") == "accepted");

    std::mt19937_64 random(test_seed() + 1);
    std::size_t brought = 0;
    for (int kill = 0; brought < files.size(); ++kill) {
        Running stream(run_words, place.path());
        const bool last = kill >= kills_wanted();
        const std::size_t until = last ? files.size() : std::min(files.size(), brought + 3 + random() % 8);
        for (; brought < until; ++brought) {
            bring(place, files[brought]);
            if (random() % 2 == 0) stream.wait_for("s.jsonl", brought + 1);
        }
        if (!last && random() % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(random() % 100));
        // All must have been noticed, as what comes while the stream is away is taken in order of time.
        stream.wait_for("s.jsonl", brought);
        INFO(stream.err());
        CHECK(stream.stop(last ? SIGINT : SIGKILL) == (last ? 130 : 137));
    }
    CHECK(told(place.path("s.jsonl")).size() == files.size());
    // What has no time may be noticed a frame earlier or later.
    const auto by_source = [](const auto& all) {
        std::map<std::string, std::string> out;
        for (const auto& [sequence, line] : all)
            out[line.at("source").template get<std::string>()] = line.at("flags").dump();
        return out;
    };
    const auto accepted = [](const auto& all) {
        std::vector<std::string> out;
        for (const auto& [sequence, line] : all) {
            if (line.at("result") == "accepted") out.push_back(line.at("source").template get<std::string>());
        }
        return out;
    };
    CHECK(by_source(told(place.path("s.jsonl"))) == by_source(lines));
    CHECK(accepted(told(place.path("s.jsonl"))) == accepted(lines));
    CHECK(forecasts_in(place.path("out")) == forecasts_in(calm.path("out")));
    for (const std::string& file : tree(place.path())) CHECK_FALSE(holds(file, ".tmp."));
}

TEST_CASE("a stream that is killed while frames wait takes them all") {
    const Place calm, place;
    for (std::int64_t step = 0; step < 30; ++step) {
        calm.put(step);
        place.put(step);
    }
    const auto run_words = words({"--state", "state", "--save-every", "3", "--until-idle", "0.5"});
    REQUIRE(run_nowcell(run_words, calm.path()).code == 0);
    std::mt19937_64 random(test_seed());
    for (int kill = 0; kill < kills_wanted(); ++kill) {
        Running stream(run_words, place.path());
        std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 1500));
        stream.stop(SIGKILL);
    }
    REQUIRE(run_nowcell(run_words, place.path()).code == 0);
    CHECK(forecasts_in(place.path("out")) == forecasts_in(calm.path("out")));
    CHECK(forecasts_in(place.path("out")).size() == 27);
}

TEST_CASE("old forecasts go, and with a lag the newest frame alone is forecast from") {
    const Place place;
    for (std::int64_t step = 0; step < 12; ++step) place.put(step);
    REQUIRE(run_nowcell(words({"--keep", "3", "--until-idle", "0.2"}), place.path()).code == 0);
    CHECK(tree(place.path("out")) == std::vector<std::string>{"forecast_20260101T004500.h5",
                                                              "forecast_20260101T005000.h5",
                                                              "forecast_20260101T005500.h5"});
    const Outcome again = run_nowcell(words({"--until-idle", "0.2"}), place.path());
    CHECK(again.code == 7);  // they are not this stream's
    CHECK(holds(again.err, "--force"));
    fs::remove_all(place.path("out"));
    fs::remove(place.path("s.jsonl"));
    REQUIRE(run_nowcell(words({"--on-lag", "forecast-newest", "--until-idle", "0.2"}), place.path()).code == 0);
    CHECK(tree(place.path("out")) == std::vector<std::string>{"forecast_20260101T005500.h5"});
    CHECK(at::equal(forecast_in(place.path("out/forecast_20260101T005500.h5")), expected(small_model(), 11)));
    CHECK(told(place.path("s.jsonl")).at(8).at("flags") == std::vector<std::string>{"lag"});
}

TEST_CASE("a file of many frames is a part of the stream, also when it is left in its middle") {
    const Place place;
    std::vector<torch::Tensor> all;
    for (std::int64_t step = 0; step < 10; ++step) all.push_back(frame(step));
    write_frame(place.path("in/many.npy"), at::stack(all));
    REQUIRE(run_nowcell(words({"--state", "state", "--max-frames", "6"}), place.path()).code == 0);
    const Outcome rest = run_nowcell(words({"--state", "state", "--until-idle", "0.3"}), place.path());
    INFO(rest.err);
    REQUIRE(rest.code == 0);
    const auto lines = told(place.path("s.jsonl"));
    REQUIRE(lines.size() == 10);
    CHECK(lines.at(7).at("index") == 6);
    CHECK(at::equal(forecast_in(place.path("out/forecast_00000010.h5")), expected(small_model(), 9)));
    const Outcome nothing = run_nowcell(words({"--state", "state", "--until-idle", "0.3"}), place.path());
    REQUIRE(nothing.code == 0);
    CHECK(told(place.path("s.jsonl")).size() == 10);
}

TEST_CASE("what cannot work is refused before anything is written") {
    const Place place;
    for (std::int64_t step = 0; step < 5; ++step) place.put(step);
    REQUIRE(run_nowcell(words({"--state", "state", "--until-idle", "0.2"}), place.path()).code == 0);
    save_model(place.path("model.safetensors"), 2);
    const Outcome other = run_nowcell(words({"--state", "state"}), place.path());
    CHECK(other.code == 4);
    CHECK(holds(other.err, "another model"));
    save_model(place.path("model.safetensors"));
    CHECK(run_nowcell(words({"--state", "state", "--context", "all"}), place.path()).code == 4);
    CHECK(run_nowcell(words({"--state", "model.safetensors"}), place.path()).code == 4);
    CHECK(run_nowcell(words({"--size", "5by5"}), place.path()).code == 2);
    CHECK(run_nowcell(words({"--min-input", "9"}), place.path()).code == 2);
    fs::rename(place.path("in"), place.path("away"));
    const Outcome gone = run_nowcell(words(), place.path());
    CHECK(gone.code == 3);
    CHECK(holds(gone.err, "no such folder"));
    fs::rename(place.path("away"), place.path("in"));
    fs::remove_all(place.path("out"));
    Running first(words({"--state", "state"}), place.path());
    place.put(5);
    first.wait_for("s.jsonl", 6);
    CHECK(run_nowcell(words({"--state", "state"}), place.path()).code == 7);
    CHECK(first.stop(SIGINT) == 130);
}
