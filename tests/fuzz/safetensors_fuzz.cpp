#include "src/safetensors_header.h"

#include "tests/fuzz/fuzz.h"

// Tensors lie in the data and have together as many bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    return tried(nowcell::ExitCode::model, [&] {
        const nowcell::SafeTensorsHeader header = nowcell::parse_safetensors_header(bytes, "fuzz");
        must(header.data <= size, "the data begins behind the file");
        std::size_t total = 0;
        for (const nowcell::SafeTensorsEntry& tensor : header.tensors) {
            must(tensor.begin <= tensor.end && tensor.end <= size - header.data, "a tensor lies outside of the file");
            total += tensor.end - tensor.begin;
        }
        must(total == size - header.data, "tensors overlap or leave a hole");
    });
}
