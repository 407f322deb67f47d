#include "cells/cpu/isa.h"

#include "cells/choice.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <array>
#include <cstdlib>
#include <cstring>

namespace nowcell::cpu {
namespace {

Isa best() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        return Isa::avx512;
    }
    if (avx2) return Isa::avx2;
#endif
    return Isa::plain;
}

Isa allowed() {
    const char* const name = std::getenv("NOWCELL_ISA");
    if (name == nullptr || *name == '\0') return best();
    return std::min(best(), choice<Isa>("NOWCELL_ISA", name, {"plain", "avx2", "avx512"}));
}

}  // namespace

Isa isa() {
    static const Isa chosen = allowed();
    return chosen;
}

const char* name_of(Isa isa) {
    switch (isa) {
        case Isa::plain: return "plain";
        case Isa::avx2: return "avx2";
        case Isa::avx512: return "avx512";
    }
    return "plain";
}

std::string_view processor_name() {
#if defined(__x86_64__)
    static const std::array<char, 49> name = [] {
        std::array<char, 49> text{};
        std::array<unsigned, 12> word{};
        for (unsigned leaf = 0; leaf < 3; ++leaf) {
            unsigned* const w = word.data() + 4 * leaf;
            if (__get_cpuid(0x80000002U + leaf, w, w + 1, w + 2, w + 3) == 0) return text;
        }
        std::memcpy(text.data(), word.data(), 48);
        return text;
    }();
    std::string_view text = name.data();
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    if (!text.empty()) return text;
#endif
    return "unknown";
}

}  // namespace nowcell::cpu
