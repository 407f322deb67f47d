// Compiles a function for wider registers too, where that changes no bit: AVX2 alone never fuses a multiplication with
// an addition.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define NOWCELL_WIDE __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define NOWCELL_WIDE
#endif
