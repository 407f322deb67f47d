// What fuzz targets share. A target gets bytes that a stranger chose; it may refuse them with Error and nothing else.
#pragma once

#include "src/error.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

/// What libFuzzer calls, and corpus_main.cpp.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// Reports a finding.
[[noreturn]] inline void finding(const char* what) {
    std::fprintf(stderr, "finding: %s\n", what);
    std::abort();
}

/// Says what must hold after a success.
inline void must(bool good, const char* what) {
    if (!good) finding(what);
}

/// Runs `read`; an Error of the code `expected` is a success too.
template <typename Read>
int tried(nowcell::ExitCode expected, Read read) {
    try {
        read();
    } catch (const nowcell::Error& error) {
        if (error.code() != expected) finding(error.what());
        must(!error.block("nowcell").empty(), "an error without words");
    }
    return 0;
}
