#!/usr/bin/env bash
# On a machine with a GPU: builds the cells alone, runs every CUDA test, check and bench, and writes one report.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/tally.sh
source scripts/tally.sh

usage() {
    cat <<'END'
usage: scripts/gpu_day.sh [--report FILE] [--device cuda:N] [--build FOLDER] [--jobs N] [--dry-run]

Needs nvcc, cmake, ninja and a python3 with PyTorch >= 2.11 built for CUDA; installs nothing. Builds cells/ alone for the
GPU found, then runs the programs of tests/gpu on it, again under each tool of compute-sanitizer where that is
installed, `nowcell-cells check`, and `nowcell-cells bench` beside eager PyTorch. What fails does not stop the rest.

  --report FILE    the report; default: build/gpu_day.txt
  --device cuda:N  default: cuda:0
  --build FOLDER   default: build/gpu_day
  --jobs N         compile jobs; default: one for each core
  --dry-run        says what would run, needs no GPU
  --help           this text

The last line is `N passed, N failed[, N skipped]`.
Exit codes: 0 all passed, 1 something failed, 2 wrong option, 5 no GPU, or a tool is missing.
END
}

stop() { # exit code, what, hint
    printf 'gpu_day: error: %s\n  hint: %s\n' "$2" "$3" >&2
    exit "$1"
}

report=build/gpu_day.txt device=cuda:0 build=build/gpu_day jobs=$(nproc) dry=0
while (($# > 0)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --dry-run) dry=1 ;;
        --report | --device | --build | --jobs)
            (($# >= 2)) || stop 2 "$1: got nothing, expected a value" "scripts/gpu_day.sh --help"
            declare "${1#--}=$2"
            shift
            ;;
        *) stop 2 "unknown option: got $1, expected one that --help lists" "scripts/gpu_day.sh --help" ;;
    esac
    shift
done
[[ $device =~ ^cuda:[0-9]+$ ]] || stop 2 "--device: got $device, expected cuda:N" "such as --device cuda:0"
[[ $jobs =~ ^[1-9][0-9]*$ ]] || stop 2 "--jobs: got $jobs, expected a positive integer" "such as --jobs 4"

readonly sanitizers=(memcheck racecheck initcheck synccheck)
readonly program=$build/bin/nowcell-cells
configure=(cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DNOWCELL_ONLY=cells -DNOWCELL_CUDA=ON
    -DNOWCELL_TESTS=ON)

# Of nvidia-smi, such as 90; the tests hold machine code for it beside their PTX.
capability() { nvidia-smi --query-gpu=compute_cap --format=csv,noheader --id="${device#cuda:}" | tr -d '. '; }

gpu_tests() { find "$build" -type f -name '*_test' -perm -u+x | sort; }

if ((dry)); then
    printf 'would run: %s -DCMAKE_CUDA_ARCHITECTURES=NN-real\n' "${configure[*]}"
    printf 'would run: cmake --build %s --parallel %s\n' "$build" "$jobs"
    for source in tests/gpu/*_test.cu; do printf 'would run: %s on the GPU\n' "$(basename "$source" .cu)"; done
    for tool in "${sanitizers[@]}"; do printf 'would run: each of them under compute-sanitizer --tool %s\n' "$tool"; done
    printf 'would run: %s check --device %s\n' "$program" "$device"
    printf 'would run: %s bench --device %s\n' "$program" "$device"
    printf 'would write: %s\n' "$report"
    exit 0
fi

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi --id="${device#cuda:}" >/dev/null 2>&1; then
    stop 5 "no GPU: nvidia-smi does not show $device" "run it where a GPU is; --dry-run says what it would do"
fi
for tool in nvcc cmake ninja python3; do
    command -v "$tool" >/dev/null || stop 5 "$tool is missing" "put it on PATH"
done
if [[ -z ${Torch_DIR:-} ]]; then
    python3 -c 'import sys, torch; sys.exit(not torch.version.cuda)' >/dev/null 2>&1 ||
        stop 5 "python3 has no PyTorch built for CUDA" "activate an environment with PyTorch >= 2.11, or set Torch_DIR"
fi

# ---- from here on everything goes into the report -----------------------------------------------------------------

mkdir -p "$(dirname "$report")"
: >"$report"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

section() { printf '\n== %s\n' "$1" | tee -a "$report"; }

part() { # name, command...; passed when it ends with 0, skipped with 77
    local name=$1 status=0 start=$SECONDS
    shift
    section "$name"
    printf '$ %s\n' "$*" >>"$report"
    "$@" </dev/null >"$work/output" 2>&1 || status=$?
    cat "$work/output" >>"$report"
    case $status in
        0) tally_add 1 0 && printf 'passed, %d s\n' $((SECONDS - start)) | tee -a "$report" ;;
        77) tally_add 0 0 1 && printf 'skipped\n' | tee -a "$report" ;;
        *)
            tally_add 0 1
            tail -n 5 "$work/output"
            printf 'FAILED (exit status %d), %d s\n' "$status" $((SECONDS - start)) | tee -a "$report"
            ;;
    esac
    return 0
}

section "machine"
{
    date -u
    uname -srm
    git describe --always --dirty 2>/dev/null || true
    nvidia-smi
    nvcc --version
    cmake --version
    python3 -c 'import torch; print("PyTorch", torch.__version__, "CUDA", torch.version.cuda, "cuDNN", torch.backends.cudnn.version())' || true
} >>"$report" 2>&1

sm=$(capability)
part "configure for sm_$sm" "${configure[@]}" -DCMAKE_CUDA_ARCHITECTURES="$sm-real" \
    -DNOWCELL_GPU_TEST_ARCHITECTURES="80-virtual;$sm-real"
part "build" cmake --build "$build" --parallel "$jobs" -- -k 0

# The programs use the first GPU that they see.
export CUDA_DEVICE_ORDER=PCI_BUS_ID
on_gpu=(env CUDA_VISIBLE_DEVICES="${device#cuda:}")
mapfile -t tests < <(gpu_tests)
((${#tests[@]} > 0)) || tally_add 0 1
for test in "${tests[@]}"; do part "$(basename "$test")" "${on_gpu[@]}" "$test"; done

if command -v compute-sanitizer >/dev/null; then
    for tool in "${sanitizers[@]}"; do
        for test in "${tests[@]}"; do
            part "$(basename "$test") under $tool" "${on_gpu[@]}" compute-sanitizer --tool "$tool" --error-exitcode 9 "$test"
        done
    done
else
    section "compute-sanitizer is not installed"
    tally_add 0 0 1
fi

part "check" "${on_gpu[@]}" "$program" check --device cuda:0
grep -E '^[0-9]+ passed|error:' "$work/output" || true
part "bench beside eager PyTorch" "${on_gpu[@]}" "$program" bench --device cuda:0
cat "$work/output"

printf '\nreport: %s\n' "$report"
status=0
tally_end >"$work/tally" || status=1
tee -a "$report" <"$work/tally"
exit "$status"
