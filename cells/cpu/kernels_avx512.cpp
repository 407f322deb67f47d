// Compiled for AVX-512; called only where isa.h says so.
#include "cells/cpu/tables.h"
#include "cells/cpu/vector_avx512.h"

namespace nowcell::cpu {

const Kernels* avx512_kernels(int points, int kernel) { return kernels_of<Avx512>("avx512", points, kernel); }
double avx512_peak(double seconds) { return peak<Avx512>(seconds); }

}  // namespace nowcell::cpu
