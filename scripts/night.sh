#!/usr/bin/env bash
# What does not fit CI: all tests under the sanitizers, all tests with other seeds, all broken kernels, fuzzing for longer,
# the demo in full.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/tally.sh
source scripts/tally.sh

if (($# > 0)); then
    printf 'usage: scripts/night.sh\n\nTakes hours. NOWCELL_TEST_SEEDS="11 12 13" chooses the seeds. Ends in "N passed, N failed".\n'
    [[ $1 == --help || $1 == -h ]] && exit 0
    exit 2
fi

scripts/setup.sh --dev --cuda
tally_run "checks" scripts/check.sh
tally_run "tests" scripts/test.sh
for seed in ${NOWCELL_TEST_SEEDS:-11 12 13 14 15}; do
    tally_run "tests with seed $seed" env NOWCELL_TEST_SEED="$seed" scripts/test.sh --preset dev
done
tally_run "200 runs killed, 100 terminated" env NOWCELL_KILLS=200 NOWCELL_TEST_SEED=22 scripts/test.sh --preset dev --filter "a run that is"
tally_run "engines on many shapes" env NOWCELL_TEST_SHAPES=1500 NOWCELL_TEST_SEED=21 scripts/test.sh --preset dev --filter engine
tally_run "CUDA kernels in other orders of threads" env NOWCELL_GPU_TEST_ORDERS="2 3 4 5" scripts/test.sh --preset dev --label gpu
tally_run "broken kernels are noticed" scripts/mutate_kernels.py
tally_run "all tests under ASan and UBSan" scripts/test.sh --preset asan
tally_run "fuzzing of what reads files" scripts/fuzz.sh --seconds 1200
tally_run "demo" scripts/demo.sh
tally_end
