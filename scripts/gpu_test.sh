#!/usr/bin/env bash
# Runs a CUDA test program on the GPU, or where there is none under cudasim, which executes its PTX with checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'END'
usage: scripts/gpu_test.sh [options] PROGRAM [ARGUMENTS]
       scripts/gpu_test.sh --find-simulator

On a machine with a GPU: runs PROGRAM. Else runs it under the simulator cudasim, in four orders of threads and with all
checks; a finding is a failure. Without either: prints `skipped: ...`.

  --arch N          the PTX for compute_N (the simulator's default: the newest)
  --deferred        asynchronous work runs as late as it may
  --simulator-only  skipped on a machine with a GPU
  --find-simulator  prints where cudasim is; fails if there is none

cudasim is $CUDASIM; where that is not set, ../shared/tools/cudasim/cudasim beside the checkout, or on PATH.
NOWCELL_GPU_TEST_ORDERS="5 6 7" adds random orders of these seeds.
Exit codes: the program's; 66 findings, 67 and 68 what cudasim refuses, 2 wrong option.
END
}

simulator() {
    local candidate
    if [[ -n ${CUDASIM+set} ]]; then
        command -v -- "$CUDASIM" && return
        [[ -n $CUDASIM ]] || return
        printf 'gpu_test: error: CUDASIM: got %s, expected a program, or nothing for none\n' "$CUDASIM" >&2
        exit 2
    fi
    candidate=$(dirname "$PWD")/shared/tools/cudasim/cudasim
    if [[ -x $candidate ]]; then printf '%s\n' "$candidate"; else command -v cudasim; fi
}

options=() orders=(all) simulator_only=0
while (($# > 0)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --arch) options+=(--arch "${2:?gpu_test: error: --arch: got nothing, expected a number}") && shift ;;
        --deferred) options+=(--streams deferred) orders=(forward reverse) ;;
        --simulator-only) simulator_only=1 ;;
        --find-simulator)
            simulator
            exit
            ;;
        -*)
            printf 'gpu_test: error: unknown option: got %s, expected one that --help lists\n' "$1" >&2
            exit 2
            ;;
        *) break ;;
    esac
    shift
done
if (($# == 0)); then
    usage >&2
    exit 2
fi

if nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
    ((simulator_only == 0)) || { printf 'skipped: a GPU is here, and runs the code that fits it\n' && exit 0; }
    exec "$@"
fi
found=0
cudasim=$(simulator) || found=$?
if ((found == 2)); then exit 2; fi
if ((found != 0)); then
    printf 'skipped: no GPU and no simulator; cudasim can be named by CUDASIM\n'
    exit 0
fi
for seed in ${NOWCELL_GPU_TEST_ORDERS:-}; do orders+=("random:$seed"); done
for order in "${orders[@]}"; do
    "$cudasim" --schedule "$order" --checks all,leak "${options[@]}" -- "$@"
done
