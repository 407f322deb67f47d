// Chunks that we decode ourselves, against libhdf5.
#include "data/formats/hdf5_chunks.h"
#include "data/formats/hdf5_file.h"
#include "data/formats/shuffle.h"
#include "src/error.h"
#include "tests/data/raw_hdf5.h"

#include <cstring>
#include <fstream>
#include <numeric>
#include <random>

using namespace nowcell;

namespace {

using Sizes = std::vector<std::int64_t>;

struct Filters {
    bool shuffle = false;
    bool deflate = false;
    bool checksum = false;
    bool checksum_first = false;
};

hid_t storage_of(const Sizes& chunk, const Filters& filters) {
    const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    const std::vector<hsize_t> sides(chunk.begin(), chunk.end());
    H5Pset_chunk(layout, static_cast<int>(sides.size()), sides.data());
    if (filters.checksum_first) H5Pset_fletcher32(layout);
    if (filters.shuffle) H5Pset_shuffle(layout);
    if (filters.deflate) H5Pset_deflate(layout, 3);
    if (filters.checksum) H5Pset_fletcher32(layout);
    return layout;
}

std::vector<double> some_values(const std::vector<hsize_t>& shape, std::mt19937& engine) {
    std::size_t count = 1;
    for (const hsize_t size : shape) count *= size;
    std::vector<double> out(count);
    for (double& value : out) value = static_cast<double>(engine() % 120);
    return out;
}

// The block as libhdf5 itself reads it, in the type that is stored.
std::vector<char> plain_read(const std::string& path, const Sizes& start, const Sizes& count, std::size_t bytes) {
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t set = H5Dopen2(file, "/x", H5P_DEFAULT);
    const hid_t type = H5Dget_type(set);
    const hid_t from = H5Dget_space(set);
    const std::vector<hsize_t> first(start.begin(), start.end());
    const std::vector<hsize_t> size(count.begin(), count.end());
    const hid_t into = H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr);
    H5Sselect_hyperslab(from, H5S_SELECT_SET, first.data(), nullptr, size.data(), nullptr);
    std::vector<char> out(bytes);
    REQUIRE(H5Dread(set, type, into, from, H5P_DEFAULT, out.data()) >= 0);
    H5Sclose(into);
    H5Sclose(from);
    H5Tclose(type);
    H5Dclose(set);
    H5Fclose(file);
    return out;
}

// Compares some blocks of /x; returns how many differ.
int differing_blocks(const std::string& path, std::int64_t cache_bytes, std::mt19937& engine) {
    const Hdf5File file(path, cache_bytes);
    const Hdf5Description data = file.describe("/x");
    int differing = 0;
    for (int trial = 0; trial < 12; ++trial) {
        Sizes start, count;
        std::size_t bytes = size_of(data.stored);
        for (const std::int64_t size : data.shape) {
            start.push_back(trial == 0 ? 0 : static_cast<std::int64_t>(engine() % static_cast<unsigned>(size)));
            const std::int64_t most = size - start.back();
            count.push_back(trial == 0 ? size : 1 + static_cast<std::int64_t>(engine() % static_cast<unsigned>(most)));
            bytes *= static_cast<std::size_t>(count.back());
        }
        std::vector<char> ours(bytes);
        file.read("/x", start, count, ours.data());
        differing += ours == plain_read(path, start, count, bytes) ? 0 : 1;
    }
    return differing;
}

std::string file_bytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("our decoding of chunks gives libhdf5's bytes for each type, shape and set of filters") {
    const TemporaryFolder folder;
    std::mt19937 engine(static_cast<unsigned>(test_seed()));
    const std::vector<Filters> filters = {
        {true, false, false, false}, {false, true, false, false}, {false, false, true, false},
        {true, true, false, false},  {true, false, true, false},  {false, true, true, false},
        {true, true, true, false},   {true, true, false, true},   {false, false, false, false}};
    const std::vector<std::pair<std::vector<hsize_t>, Sizes>> shapes = {{{7}, {3}},
                                                                        {{9, 5}, {4, 5}},
                                                                        {{6, 7, 8}, {1, 7, 8}},
                                                                        {{6, 7, 8}, {4, 3, 5}},
                                                                        {{3, 4, 5, 6}, {2, 4, 2, 6}},
                                                                        {{2, 3, 4, 5, 2}, {1, 2, 4, 3, 2}}};
    for (const hid_t type :
         {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_U32LE, H5T_IEEE_F32LE, H5T_IEEE_F64BE, half_type(false)}) {
        for (const auto& shape_and_chunk : shapes) {
            for (const Filters& filter : filters) {
                const std::vector<hsize_t>& shape = shape_and_chunk.first;
                const Sizes& chunk = shape_and_chunk.second;
                const std::string path = raw_file(folder, [&](hid_t file) {
                    const hid_t layout = storage_of(chunk, filter);
                    H5Dclose(raw_values(file, "/x", type, shape, some_values(shape, engine), layout));
                    H5Pclose(layout);
                });
                INFO(shape.size() << " dimensions, " << filter.shuffle << filter.deflate << filter.checksum
                                  << filter.checksum_first);
                CHECK(differing_blocks(path, 1 << 20, engine) == 0);
                CHECK(differing_blocks(path, 1, engine) == 0);  // no chunk stays but the last one
            }
        }
    }
}

TEST_CASE("chunks that were never written hold the fill value") {
    const TemporaryFolder folder;
    std::mt19937 engine(1);
    for (const bool with_fill : {true, false}) {
        for (const bool empty : {true, false}) {
            const std::string path = raw_file(folder, [&](hid_t file) {
                const hid_t layout = storage_of({2, 3}, {true, true, true, false});
                const std::int16_t fill = -7;
                if (with_fill) H5Pset_fill_value(layout, H5T_NATIVE_INT16, &fill);
                const hid_t set = raw_dataset(file, "/x", H5T_STD_I16BE, {8, 9}, layout);
                const hid_t space = H5Dget_space(set);
                const std::array<hsize_t, 2> start = {3, 4}, count = {1, 1};
                const std::int16_t value = 300;
                H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
                const hid_t one = H5Screate_simple(2, count.data(), nullptr);
                if (!empty) H5Dwrite(set, H5T_NATIVE_INT16, one, space, H5P_DEFAULT, &value);
                H5Sclose(one);
                H5Sclose(space);
                H5Dclose(set);
                H5Pclose(layout);
            });
            CHECK(differing_blocks(path, 1 << 20, engine) == 0);
        }
    }
}

TEST_CASE("a chunk's mask of left out filters is obeyed") {
    const TemporaryFolder folder;
    std::mt19937 engine(1);
    for (const std::uint32_t mask : {0x7U, 0x3U, 0x6U}) {  // of shuffle, deflate, Fletcher32
        const std::string path = raw_file(folder, [&](hid_t file) {
            const hid_t layout = storage_of({2, 4}, {true, true, true, false});
            const hid_t set = raw_values(file, "/x", H5T_STD_U16LE, {4, 4}, std::vector<double>(16, 9), layout);
            std::vector<std::uint16_t> values(8);
            std::iota(values.begin(), values.end(), static_cast<std::uint16_t>(500));
            std::string raw(reinterpret_cast<const char*>(values.data()), 16);
            if (mask == 0x6U) {  // shuffled only
                std::string shuffled;
                for (std::size_t byte = 0; byte < 2; ++byte) {
                    for (std::size_t i = 0; i < 8; ++i) shuffled += raw[2 * i + byte];
                }
                raw = shuffled;
            }
            if (mask == 0x3U) {  // with its checksum only
                const std::uint32_t sum = fletcher32(raw.data(), raw.size());
                raw.append(reinterpret_cast<const char*>(&sum), 4);
            }
            const std::array<hsize_t, 2> offset = {2, 0};
            REQUIRE(H5Dwrite_chunk(set, H5P_DEFAULT, mask, offset.data(), raw.size(), raw.data()) >= 0);
            H5Dclose(set);
            H5Pclose(layout);
        });
        INFO(mask);
        CHECK(differing_blocks(path, 1 << 20, engine) == 0);
        std::vector<std::uint16_t> read(16);
        Hdf5File(path).read("/x", {0, 0}, {4, 4}, read.data());
        CHECK(read[7] == 9);
        CHECK(read[8] == 500);
        CHECK(read[15] == 507);
    }
}

TEST_CASE("a damaged chunk is an error and never other numbers") {
    const TemporaryFolder folder;
    std::mt19937 engine(3);
    for (const Filters& filters :
         {Filters{true, true, false, false}, Filters{true, true, true, false}, Filters{false, false, true, false}}) {
        haddr_t address = 0;
        hsize_t size = 0;
        const std::vector<double> values = some_values({4, 20}, engine);
        const std::string path = raw_file(folder, [&](hid_t file) {
            const hid_t layout = storage_of({4, 20}, filters);
            const hid_t set = raw_values(file, "/x", H5T_STD_U16LE, {4, 20}, values, layout);
            H5Fflush(file, H5F_SCOPE_GLOBAL);
            const std::array<hsize_t, 2> offset = {0, 0};
            unsigned mask = 0;
            REQUIRE(H5Dget_chunk_info_by_coord(set, offset.data(), &mask, &address, &size) >= 0);
            H5Dclose(set);
            H5Pclose(layout);
        });
        const std::string whole = file_bytes(path);
        int errors = 0, wrong = 0;
        for (std::size_t i = 0; i < size; ++i) {
            std::string damaged = whole;
            damaged[address + i] = static_cast<char>(damaged[address + i] ^ (1 << engine() % 8));
            const std::string other = folder.path("damaged.h5");
            std::ofstream(other, std::ios::binary) << damaged;
            std::vector<std::uint16_t> read(80);
            try {
                Hdf5File(other).read("/x", {0, 0}, {4, 20}, read.data());
                wrong += std::vector<double>(read.begin(), read.end()) == values ? 0 : 1;
            } catch (const Error& error) {
                errors += error.code() == ExitCode::data && holds(error.what(), "damaged or incomplete") ? 1 : 0;
            }
        }
        CHECK(wrong == 0);
        CHECK(errors > static_cast<int>(size) / 2);  // a few bits of a deflate stream mean nothing
        if (filters.checksum) CHECK(errors == static_cast<int>(size));
    }
}

TEST_CASE("a small chunk that claims to be huge is refused before memory is asked for") {
    const TemporaryFolder folder;
    const std::string path = raw_file(folder, [&](hid_t file) {
        const hid_t layout = storage_of({1 << 14, 1 << 14}, {false, true, false, false});
        const hid_t set = raw_dataset(file, "/x", H5T_STD_U8LE, {1 << 14, 1 << 14}, layout);
        const std::array<hsize_t, 2> offset = {0, 0};
        const std::string raw(1000, 'x');
        REQUIRE(H5Dwrite_chunk(set, H5P_DEFAULT, 0, offset.data(), raw.size(), raw.data()) >= 0);
        H5Dclose(set);
        H5Pclose(layout);
    });
    char value = 0;
    CHECK_THROWS_WITH(Hdf5File(path).read("/x", {0, 0}, {1, 1}, &value), Catch::Contains("takes 1000 bytes"));
}

TEST_CASE("the cache of chunks keeps within its limit and the chunks used last") {
    ChunkCache cache(100);
    const int owner = 0;
    for (std::uint64_t i = 0; i < 5; ++i) cache.add({&owner, i}, 30)[0] = static_cast<char>(i);
    CHECK(cache.find({&owner, 1}) == nullptr);
    REQUIRE(cache.find({&owner, 2}) != nullptr);
    CHECK((*cache.find({&owner, 2}))[0] == 2);
    cache.add({&owner, 7}, 30);  // 3 was used longest ago
    CHECK(cache.find({&owner, 3}) == nullptr);
    CHECK(cache.find({&owner, 2}) != nullptr);
    CHECK(cache.add({&owner, 8}, 1000).size() == 1000);  // one is kept whatever its size
    CHECK(cache.find({&owner, 2}) == nullptr);
    cache.drop({&owner, 8});
    CHECK(cache.find({&owner, 8}) == nullptr);
    cache.add({&owner, 9}, 100);
    CHECK(cache.find({&owner, 9}) != nullptr);
}

TEST_CASE("unshuffle undoes HDF5's shuffle for each width, a rest of bytes included") {
    for (const std::size_t width : {1, 2, 3, 4, 5, 8}) {
        for (const std::size_t bytes : {width, 7 * width, 2000 * width, 513 * width + width - 1}) {
            std::string plain(bytes, '\0'), shuffled, out(bytes, '\0');
            for (std::size_t i = 0; i < bytes; ++i) plain[i] = static_cast<char>(i * 31 + i / 256);
            const std::size_t count = bytes / width;
            for (std::size_t byte = 0; byte < width; ++byte) {
                for (std::size_t i = 0; i < count; ++i) shuffled += plain[i * width + byte];
            }
            shuffled += plain.substr(count * width);
            unshuffle(shuffled.data(), bytes, width, out.data());
            CHECK(out == plain);
        }
    }
}
