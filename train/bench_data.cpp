// `nowcell bench data`: how fast frames come out of files, beside plain pread of the same bytes.
#include "cells/trial/timing.h"
#include "data/frame_source.h"
#include "data/loader.h"
#include "data/write/hdf5_io.h"
#include "src/device.h"
#include "src/error.h"
#include "src/json.h"
#include "src/report.h"
#include "train/scratch.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

namespace nowcell {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSteps = 20;
constexpr std::int64_t kSide = 128;
constexpr std::int64_t kRecordings = 96;  // 126 MB of float32: stays in the page cache
constexpr std::int64_t kBatch = 8;
constexpr int kRounds = 5;
constexpr std::int64_t kLittleMemory = 32 << 20;  // of a reader: what it keeps of chunks is a fraction of the file

// Smooth fields with a little noise, as measured ones are: they compress to about half.
torch::Tensor fields() {
    at::manual_seed(3);
    const torch::Tensor coarse = at::randn({kRecordings * kSteps, 1, kSide / 16, kSide / 16});
    const torch::Tensor smooth = at::upsample_bicubic2d(coarse, {kSide, kSide}, false);
    return (280.0 + 8.0 * smooth + 0.02 * at::randn_like(smooth)).view({kRecordings, kSteps, kSide, kSide});
}

// One way of storing the same frames.
struct Storage {
    std::string name;
    std::string path;
    std::int64_t value_bytes;  ///< of a stored value
    bool compressed;
};

std::vector<Storage> write_files(const Scratch& scratch) {
    const torch::Tensor values = fields();
    const torch::Tensor packed = ((values - 200.0) / 0.01).round().to(at::kUInt16);
    const std::map<std::string, Attribute> packing = {{"scale_factor", 0.01}, {"add_offset", 200.0}};
    const std::vector<std::int64_t> sample = {1, kSteps, kSide, kSide};
    std::vector<Storage> out;
    const auto write = [&](const std::string& name, Hdf5Dataset data) {
        const std::string path = scratch.path(fmt::format("{}.h5", out.size()));
        const bool compressed = !data.chunk.empty() && data.compress;
        const auto bytes = static_cast<std::int64_t>(data.values.element_size());
        write_hdf5(path, {std::move(data)}, {});
        out.push_back({name, path, bytes, compressed});
    };
    write("float32, contiguous", {"/frames", values});
    write("float32, chunk = sample", {"/frames", values, sample, {}, false});
    write("uint16 packed, chunk = sample", {"/frames", packed, sample, packing, false});
    write("uint16 packed, chunk = sample, gzip", {"/frames", packed, sample, packing, true});
    return out;
}

std::vector<std::vector<FrameRange>> batches_of(std::int64_t epoch) {
    const std::vector<std::int64_t> order = epoch_order(kRecordings, 1, epoch);
    std::vector<std::vector<FrameRange>> out;
    for (std::size_t i = 0; i < order.size(); i += kBatch) {
        out.emplace_back();
        for (std::size_t j = i; j < i + kBatch; ++j) out.back().push_back({order[j], 0, kSteps});
    }
    return out;
}

// Seconds of an epoch through the source.
double read_epoch(const FrameSource& source, std::int64_t epoch) {
    const auto batches = batches_of(epoch);
    return seconds_of([&] {
        torch::Tensor last;  // a batch is in use while the next is read
        for (const auto& batch : batches) last = source.read_batch(batch);
    });
}

// Seconds of the same bytes by pread into a buffer of a batch, the samples shared among threads.
double pread_epoch(const Storage& storage, int threads, std::int64_t epoch) {
    static std::vector<char> buffer;
    const std::int64_t sample = kSteps * kSide * kSide * storage.value_bytes;
    buffer.resize(static_cast<std::size_t>(sample * kBatch));
    const int file = ::open(storage.path.c_str(), O_RDONLY | O_CLOEXEC);
    const auto batches = batches_of(epoch);
    const double seconds = seconds_of([&] {
        std::vector<std::thread> workers;
        for (int worker = 0; worker < threads; ++worker) {
            workers.emplace_back([&, worker] {
                for (const auto& batch : batches) {
                    for (std::size_t i = static_cast<std::size_t>(worker); i < batch.size();
                         i += static_cast<std::size_t>(threads)) {
                        char* into = buffer.data() + static_cast<std::int64_t>(i) * sample;
                        if (::pread(file, into, static_cast<std::size_t>(sample), batch[i].recording * sample) <= 0)
                            return;
                    }
                }
            });
        }
        for (std::thread& worker : workers) worker.join();
    });
    ::close(file);
    return seconds;
}

// One line of the table.
struct Row {
    std::string storage;
    int readers;
    double rate;      ///< GB/s of stored bytes before compression
    double of_pread;  ///< over that of pread with as many threads; 0: compressed, no comparison
    double gain;      ///< over one reader
};

std::vector<Row> measure(const Storage& storage, const std::vector<int>& counts) {
    std::vector<std::unique_ptr<FrameSource>> sources;
    for (const int readers : counts) {
        SourceOptions options;
        options.path = storage.path;
        options.readers = readers;
        options.limits.memory = kLittleMemory;
        sources.push_back(open_source(options));
        read_epoch(*sources.back(), 0);  // readers start, the file enters the page cache
    }
    std::vector<std::vector<double>> ours(counts.size()), plain(counts.size());
    for (int round = 1; round <= kRounds; ++round) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            ours[i].push_back(read_epoch(*sources[i], round));
            if (!storage.compressed) plain[i].push_back(pread_epoch(storage, counts[i], round));
        }
    }
    const double bytes = static_cast<double>(kRecordings * kSteps * kSide * kSide * storage.value_bytes);
    std::vector<Row> rows;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double time = median(ours[i]);
        rows.push_back({storage.name, counts[i], bytes / time / 1e9, storage.compressed ? 0.0 : median(plain[i]) / time,
                        median(ours[0]) / time});
    }
    return rows;
}

// MiB of anonymous and shared memory of this process and of its readers; what is mapped from files does not count.
double memory_mib() {
    const auto of = [](const std::string& process) {
        std::ifstream status("/proc/" + process + "/status");
        double kib = 0.0;
        for (std::string word; status >> word;) {
            double value = 0.0;
            if ((word == "RssAnon:" || word == "RssShmem:") && status >> value) kib += value;
        }
        return kib / 1024.0;
    };
    double total = of("self");
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
        std::ifstream children(task.path() / "children");
        for (std::string child; children >> child;) total += of(child);
    }
    return total;
}

// Memory over 100 epochs of a small file, and over one of a file of 2 GB. The large file is a hole: it takes no disk.
struct Memory {
    double before, first_epoch, last_epoch, large_before, large_most;
};

void run_epochs(const FrameSource& source, std::int64_t epochs, const std::function<void(std::int64_t)>& after_batch) {
    const WindowOptions window{.stride = 10};
    Loader loader(source, window, cut_windows(source.info(), window, {}, Part::all), {.batch = kBatch, .seed = 1});
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
        loader.start_epoch(epoch);
        for (Batch batch; loader.next(batch);) after_batch(epoch);
    }
}

Memory measure_memory(const Scratch& scratch) {
    constexpr std::int64_t kEpochs = 100;
    Memory out{memory_mib(), 0.0, 0.0, 0.0, 0.0};
    const std::string small = scratch.path("small.h5");
    write_hdf5(small, {{"/frames", at::rand({16, 20, 64, 64}), {1, 20, 64, 64}}}, {});
    SourceOptions options;
    options.path = small;
    {
        const auto source = open_source(options);
        run_epochs(*source, kEpochs, [&](std::int64_t epoch) {
            if (epoch == 0) out.first_epoch = std::max(out.first_epoch, memory_mib());
            if (epoch == kEpochs - 1) out.last_epoch = std::max(out.last_epoch, memory_mib());
        });
    }
    options.path = scratch.path("large.npy");
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1600, 20, 128, 128), }";
    header.resize(117, ' ');
    std::ofstream(options.path, std::ios::binary) << std::string("\x93NUMPY\x01\x00\x76\x00", 10) << header << '\n';
    fs::resize_file(options.path, 128 + std::uintmax_t{1600} * 20 * 128 * 128 * 4);
    out.large_before = memory_mib();
    const auto source = open_source(options);
    run_epochs(*source, 1, [&](std::int64_t) { out.large_most = std::max(out.large_most, memory_mib()); });
    return out;
}

// Windows per second from a file of the user's, for comparison with other loaders.
int bench_file(const Request& request, const std::vector<int>& counts) {
    SourceOptions options;
    options.path = request.text("--input");
    options.missing = "mask";
    const std::int64_t window = request.integer("--window", kSteps), batch = request.integer("--batch", kBatch);
    const WindowOptions shape{.input_steps = window - 1, .output_steps = 1, .stride = window};
    std::string text =
        fmt::format("{}, windows of {} frames, batches of {}\n\nreaders  windows/s\n", options.path, window, batch);
    nlohmann::ordered_json report = {
        {"schema", "nowcell.bench_data/1"}, {"input", options.path}, {"window", window}, {"batch", batch}};
    for (const int readers : counts) {
        options.readers = readers;
        const auto source = open_source(options);
        Loader loader(*source, shape, cut_windows(source->info(), shape, {}, Part::all), {.batch = batch, .seed = 1});
        std::vector<double> rates;
        for (int round = 0; round <= kRounds; ++round) {
            const double seconds = seconds_of([&] {
                loader.start_epoch(round);
                for (Batch read; loader.next(read);) {
                }
            });
            if (round > 0) rates.push_back(static_cast<double>(loader.samples()) / seconds);
        }
        text += fmt::format("{:>7}  {:>9.1f}\n", readers, median(rates));
        report["windows_per_s"][std::to_string(readers)] = median(rates);
    }
    deliver(request, text, json_text(report));
    return 0;
}

int bench_data(const Request& request) {
    const int cores = choose_threads(request);
    std::vector<int> counts = {1, std::max(2, cores)};
    if (request.has("--readers")) counts = {static_cast<int>(request.integer("--readers"))};
    if (request.has("--input")) return bench_file(request, counts);
    const Scratch scratch;
    std::string text =
        fmt::format("Batches of {} windows of {} x {} x {} px, from the page cache\n\n{:<38} {:>7} {:>6} {:>9} {:>7}\n",
                    kBatch, kSteps, kSide, kSide, "stored as", "readers", "GB/s", "of pread", "gain");
    nlohmann::ordered_json report = {{"schema", "nowcell.bench_data/1"}};
    for (const Storage& storage : write_files(scratch)) {
        for (const Row& row : measure(storage, counts)) {
            const std::string share = row.of_pread > 0 ? fmt::format("{:.0f} %", 100.0 * row.of_pread) : "-";
            text += fmt::format("{:<38} {:>7} {:>6.2f} {:>9} {:>6.2f}x\n", row.storage, row.readers, row.rate, share,
                                row.gain);
            report["rows"].push_back({{"stored_as", row.storage},
                                      {"readers", row.readers},
                                      {"gb_per_s", row.rate},
                                      {"of_pread", row.of_pread},
                                      {"gain", row.gain}});
        }
    }
    const Memory memory = measure_memory(scratch);
    text += fmt::format(
        "\nGB/s: of stored bytes before compression; of pread: beside plain pread of the same bytes with as many "
        "threads\n"
        "\nmemory of the program and its readers, MiB: {:.0f} after epoch 1, {:.0f} after epoch 100 of a small file;\n"
        "a file of 2 GB adds at most {:.0f}\n",
        memory.first_epoch, memory.last_epoch, memory.large_most - memory.large_before);
    report["memory_mib"] = {{"first_epoch", memory.first_epoch},
                            {"last_epoch", memory.last_epoch},
                            {"large_file", memory.large_most - memory.large_before}};
    deliver(request, text, json_text(report));
    return 0;
}

}  // namespace
}  // namespace nowcell

extern "C" int nowcell_bench_data(const nowcell::Request& request) { return nowcell::bench_data(request); }
