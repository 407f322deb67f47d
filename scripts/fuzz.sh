#!/usr/bin/env bash
# Feeds what reads files with damaged ones; the last line is `N passed, N failed[, N skipped]`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/tally.sh
source scripts/tally.sh

usage() {
    cat <<'END'
usage: scripts/fuzz.sh [--seconds N] [--target NAME]

Builds the preset `fuzz` and runs each target of tests/fuzz from its committed corpus; what is learnt on the way goes
into a temporary one. Inputs that crash, hang for 5 s or need more than 1 GiB are kept in build/fuzz/findings.

  --seconds N     for each target (60)
  --target NAME   this one only, such as npy
  --help          this text

A run repeats exactly with NOWCELL_TEST_SEED=N and the same build. Exit codes: 0 nothing found, 1 a finding or no build, 2 wrong option.
END
}

seconds=60 only=
while (($# > 0)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --seconds | --target)
            if (($# < 2)); then
                printf 'fuzz: error: %s: got nothing, expected a value\n' "$1" >&2
                exit 2
            fi
            if [[ $1 == --target ]]; then only=$2; else seconds=$2; fi
            shift
            ;;
        *)
            printf 'fuzz: error: unknown option: got %s, expected one that --help lists\n' "$1" >&2
            exit 2
            ;;
    esac
    shift
done
if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
    printf 'fuzz: error: --seconds: got %s, expected a whole number of at least 1\n' "$seconds" >&2
    exit 2
fi
targets=()
for source in tests/fuzz/*_fuzz.cpp; do
    name=$(basename "$source" _fuzz.cpp)
    if [[ -z $only || $name == "$only" ]]; then targets+=("$name"); fi
done
if ((${#targets[@]} == 0)); then
    printf 'fuzz: error: --target: got %s, expected one of:%s\n' "$only" "$(printf ' %s' tests/fuzz/*_fuzz.cpp |
        sed 's|tests/fuzz/||g; s|_fuzz.cpp||g')" >&2
    exit 2
fi

readonly logs=$PWD/build/logs findings=build/fuzz/findings
mkdir -p "$logs"
fail() { # what, log
    printf 'fuzz: error: %s. The end of %s:\n' "$1" "${2#"$PWD"/}"
    tail -n 40 "$2"
    tally_add 0 1
    tally_end || exit 1
}

setup=0
scripts/setup.sh --dev </dev/null || setup=$?
if ((setup != 0)); then
    tally_add 0 1
    tally_end || exit "$setup"
fi
start=$SECONDS
cmake --preset fuzz >"$logs/fuzz-configure.log" 2>&1 || fail "configuring failed" "$logs/fuzz-configure.log"
cmake --build --preset fuzz --parallel "$(nproc)" --target "${targets[@]/%/_fuzz}" >"$logs/fuzz-build.log" 2>&1 ||
    fail "building failed" "$logs/fuzz-build.log"
printf 'build: %d s\n' $((SECONDS - start))

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$findings"

# A finding is also what the sanitizers report of a leak or of undefined behaviour.
fuzz() { # target
    local target=$1 status=0 log=$logs/fuzz-$1.log found dictionary=() tried size
    mkdir -p "$work/$target" "$findings/$target"
    if [[ -f tests/fuzz/$target.dict ]]; then dictionary=("-dict=tests/fuzz/$target.dict"); fi
    UBSAN_OPTIONS=print_stacktrace=1 timeout --kill-after=10 $((seconds + 60)) "build/fuzz/bin/${target}_fuzz" \
        -max_total_time="$seconds" -rss_limit_mb=1024 -malloc_limit_mb=512 -timeout=5 -max_len=65536 \
        ${NOWCELL_TEST_SEED:+-seed="$NOWCELL_TEST_SEED"} "${dictionary[@]}" -artifact_prefix="$findings/$target/" \
        -print_final_stats=1 "$work/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1 || status=$?
    tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    size=$(find "tests/fuzz/corpus/$target" -type f | wc -l)
    if ((status == 0)); then
        printf '%-14s passed: %s inputs in %s s, from a corpus of %s files\n' "$target" "$tried" "$seconds" "$size"
        tally_add 1 0
        return
    fi
    tally_add 0 1
    found=$(sed -n 's/^.*Test unit written to //p' "$log" | tail -n 1)
    printf '%-14s FAILED (exit status %d), see %s\n' "$target" "$status" "${log#"$PWD"/}"
    grep -m 3 -E '^(finding:|SUMMARY:|==[0-9]+== ?ERROR:|==[0-9]+==ERROR:)|runtime error:' "$log" | sed 's/^/  /' || true
    if [[ -n $found ]]; then printf '  reproduce: build/fuzz/bin/%s_fuzz %s\n' "$target" "$found"; fi
}

for target in "${targets[@]}"; do fuzz "$target"; done
tally_end
