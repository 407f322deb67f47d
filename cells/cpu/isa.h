// What this processor can do.
#pragma once

#include <string_view>

namespace nowcell::cpu {

enum class Isa {
    plain,   ///< no kernels of ours: LibTorch's operators
    avx2,    ///< AVX2 and FMA
    avx512,  ///< AVX-512 F, DQ, BW, VL
};

/// The best of the processor; at most what NOWCELL_ISA (plain, avx2, avx512) names, read once.
Isa isa();
const char* name_of(Isa isa);

/// As the processor calls itself; "unknown" where it does not.
std::string_view processor_name();

}  // namespace nowcell::cpu
