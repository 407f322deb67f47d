// Compiled for AVX2 and FMA; called only where isa.h says so.
#include "cells/cpu/tables.h"
#include "cells/cpu/vector_avx2.h"

namespace nowcell::cpu {

const Kernels* avx2_kernels(int points, int kernel) { return kernels_of<Avx2>("avx2", points, kernel); }
double avx2_peak(double seconds) { return peak<Avx2>(seconds); }

}  // namespace nowcell::cpu
