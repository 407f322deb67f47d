#include "src/checkpoint.h"
#include "src/error.h"
#include "src/safetensors.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/files.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

using nowcell::Checkpoint;
using nowcell::Error;
using nowcell::ExitCode;
using nowcell::SafeTensors;

namespace {

nowcell::ModelOptions small_model() {
    nowcell::ModelOptions options;
    options.layers = {{.filters = 4}, {.filters = 3}};
    return options;
}

Checkpoint example() {
    at::manual_seed(5);
    Checkpoint checkpoint;
    checkpoint.put_model(*nowcell::make_sequence_model(2, small_model()));
    checkpoint.sections["config"] = "[data]\n";
    checkpoint.put_json("training", {{"epoch", 3}});
    return checkpoint;
}

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t files_in(const std::string& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("a checkpoint gives back what was put in, bit for bit") {
    const TemporaryFolder folder;
    const Checkpoint saved = example();
    saved.save(folder.path("a.safetensors"));
    const Checkpoint loaded = Checkpoint::load(folder.path("a.safetensors"));
    REQUIRE(loaded.tensors.size() == saved.tensors.size());
    for (const auto& [name, tensor] : saved.tensors) {
        INFO(name);
        CHECK(at::equal(loaded.tensors.at(name), tensor));
    }
    CHECK(loaded.sections.at("config") == "[data]\n");
    CHECK(loaded.get_json("training").at("epoch") == 3);
    CHECK_THROWS_AS(loaded.get_json("nothing"), Error);

    at::manual_seed(99);
    auto other = nowcell::make_sequence_model(2, small_model());
    loaded.get_model(*other);
    for (const auto& entry : other->named_parameters()) {
        CHECK(at::equal(entry.value(), saved.tensors.at("model." + entry.key())));
    }
}

TEST_CASE("names and shapes that do not fit are all listed, and nothing is changed") {
    Checkpoint checkpoint = example();
    auto network = nowcell::make_sequence_model(2, small_model());
    const torch::Tensor before = network->named_parameters()["head.weight"].clone();
    checkpoint.tensors["model.head.bias"] = at::zeros({7});
    checkpoint.tensors["model.extra"] = at::zeros({1});
    checkpoint.tensors.erase("model.encoder.layer0.bias");
    try {
        checkpoint.get_model(*network);
        FAIL("accepted a checkpoint that does not fit");
    } catch (const Error& error) {
        const std::string block = error.block("nowcell");
        CHECK(error.code() == ExitCode::model);
        CHECK(block.find("missing model.encoder.layer0.bias") != std::string::npos);
        CHECK(block.find("model.head.bias: checkpoint [7], model [2]") != std::string::npos);
        CHECK(block.find("unexpected model.extra") != std::string::npos);
    }
    CHECK(at::equal(network->named_parameters()["head.weight"], before));
}

TEST_CASE("every flipped bit and every truncation is detected") {
    const std::string good = nowcell::to_safetensors(
        {{{"a", at::arange(6, at::kFloat).view({2, 3})}, {"b", at::ones({4}, at::kDouble)}}, {{"note", "hello"}}});
    REQUIRE_NOTHROW(nowcell::from_safetensors(good, "good"));
    std::size_t accepted = 0;
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string bad = good;
            bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
            try {
                const SafeTensors read = nowcell::from_safetensors(bad, "bad");
                // Without the key "hash" the file is another program's, which Checkpoint::load refuses.
                if (read.metadata.count("hash") > 0) ++accepted;
            } catch (const Error& error) {
                CHECK(error.code() == ExitCode::model);
            }
        }
    }
    CHECK(accepted == 0);
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK_THROWS_AS(nowcell::from_safetensors(good.substr(0, size), "short"), Error);
    }
}

TEST_CASE("hostile headers are refused") {
    const auto file = [](const std::string& header, std::size_t data) {
        const std::uint64_t length = header.size();
        return std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(data, '\0');
    };
    const auto refused = [&](const std::string& header, std::size_t data) {
        try {
            nowcell::from_safetensors(file(header, data), "hostile");
        } catch (const Error& error) {
            return error.code() == ExitCode::model;
        }
        return false;
    };
    CHECK(refused(
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
        4));
    CHECK(refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4));
    CHECK(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8));
    CHECK(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8));
    CHECK(refused(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4));
    CHECK(refused(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})", 4));
    CHECK(refused(R"({"a":{"dtype":"Q7","shape":[1],"data_offsets":[0,4]}})", 4));
    CHECK(refused(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4));
    CHECK(refused(R"({"__metadata__":{"x":3}})", 0));
    CHECK(refused("{" + std::string(100000, '['), 0));
    CHECK(refused("[]", 0));
    CHECK_FALSE(refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4));
}

TEST_CASE("a full disk leaves the previous checkpoint intact and no temporary file") {
    const TemporaryFolder folder;
    const std::string path = folder.path("best.safetensors");
    example().save(path);
    const std::string before = bytes_of(path);
    rlimit old{};
    ::getrlimit(RLIMIT_FSIZE, &old);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit tight{1024, old.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &tight);
    try {
        example().save(path);
        FAIL("wrote more than the limit");
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::output);
        CHECK(std::string(error.what()).find(path) != std::string::npos);
    }
    ::setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    CHECK(bytes_of(path) == before);
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("what is no checkpoint is named as such") {
    const TemporaryFolder folder;
    const auto reason = [&](const std::string& name) {
        try {
            Checkpoint::load(folder.path(name));
        } catch (const Error& error) {
            CHECK(error.code() == ExitCode::model);
            return error.block("nowcell");
        }
        return std::string();
    };
    CHECK(reason("none.safetensors").find("no checkpoint at") != std::string::npos);
    std::ofstream(folder.path("text.safetensors")) << "these are not the weights you are looking for";
    CHECK(reason("text.safetensors").find("not a nowcell checkpoint") != std::string::npos);
    SafeTensors foreign{{{"w", at::zeros({2})}}, {}};
    std::ofstream(folder.path("foreign.safetensors"), std::ios::binary) << nowcell::to_safetensors(foreign);
    CHECK(reason("foreign.safetensors").find("not a nowcell checkpoint") != std::string::npos);
    Checkpoint newer = example();
    newer.save(folder.path("newer.safetensors"));
    SafeTensors content = nowcell::read_safetensors(folder.path("newer.safetensors"));
    content.metadata["format"] = R"({"name":"nowcell","version":99})";
    std::ofstream(folder.path("newer.safetensors"), std::ios::binary) << nowcell::to_safetensors(content);
    CHECK(reason("newer.safetensors").find("format 99") != std::string::npos);
}
