#!/usr/bin/env bash
# Sets up, builds and runs all tests; the last line is `N passed, N failed[, N skipped]`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/tally.sh
source scripts/tally.sh

usage() {
    cat <<'END'
usage: scripts/test.sh [--preset NAME] [--filter REGEX] [--label REGEX] [--exclude-label REGEX]

Installs what is missing, builds the presets `dev` (tests) and `release` (the program), and runs all tests.

  --preset NAME   build and test this preset only (see `cmake --list-presets`)
  --filter REGEX  only tests whose name matches
  --label REGEX, --exclude-label REGEX
                  only tests with, or without, a matching label
  --help          this text

Full logs: build/logs. NOWCELL_TEST_SEED=N runs the randomised tests with another seed,
NOWCELL_TEST_SHAPES=N tries that many shapes with each engine, NOWCELL_KILLS=N kills that many training runs.
Exit codes: 0 all passed, 1 something failed or no test ran, 2 wrong option.
END
}

presets=(dev release) select=()
while (($# > 0)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --preset | --filter | --label | --exclude-label)
            if (($# < 2)); then
                printf 'test: error: %s: got nothing, expected a value\n' "$1" >&2
                exit 2
            fi
            case $1 in
                --preset) presets=("$2") ;;
                --filter) select+=(--tests-regex "$2") ;;
                --label) select+=(--label-regex "$2") ;;
                --exclude-label) select+=(--label-exclude "$2") ;;
            esac
            shift
            ;;
        *)
            printf 'test: error: unknown option: got %s, expected one that --help lists\n' "$1" >&2
            exit 2
            ;;
    esac
    shift
done

readonly logs=$PWD/build/logs
mkdir -p "$logs"

# A file that includes torch takes up to 1.5 GB to compile; more jobs than fit end in the kernel killing one.
memory_gb=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
jobs=$(nproc)
((jobs * 3 / 2 <= memory_gb)) || jobs=$((memory_gb * 2 / 3))
((jobs > 0)) || jobs=1
# Two threads everywhere: the threaded paths run, and a machine's size does not change the order of sums.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

fail() { # what, log
    printf 'test: error: %s. The end of %s:\n' "$1" "${2#"$PWD"/}"
    tail -n "${3:-60}" "$2"
    tally_add 0 1
    tally_end || exit 1
}

# One line per quarter of the build; the rest is in the log.
progress() {
    local line shown=0 quarter
    while IFS= read -r line; do
        if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
            quarter=$((BASH_REMATCH[1] * 4 / BASH_REMATCH[2]))
            if ((quarter > shown)); then
                shown=$quarter
                printf '   %s of %s steps, %d s\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" $((SECONDS - start))
            fi
        fi
    done
}

setup=0
scripts/setup.sh --dev || setup=$?
if ((setup != 0)); then
    tally_add 0 1
    tally_end || exit "$setup"
fi
for preset in "${presets[@]}"; do
    start=$SECONDS
    printf 'build %s (%d jobs)\n' "$preset" "$jobs"
    cmake --preset "$preset" >"$logs/$preset-configure.log" 2>&1 || fail "configuring $preset failed" "$logs/$preset-configure.log"
    cmake --build --preset "$preset" --parallel "$jobs" 2>&1 | tee "$logs/$preset-build.log" | progress ||
        fail "building $preset failed" "$logs/$preset-build.log"
done

for preset in "${presets[@]}"; do
    # release holds the program alone.
    grep -qs '^NOWCELL_TESTS:[A-Z]*=ON' "build/$preset/CMakeCache.txt" || continue
    start=$SECONDS log=$logs/$preset-test.log junit=$logs/$preset-junit.xml status=0
    printf 'test %s\n' "$preset"
    rm -f "$junit"
    ctest --preset "$preset" --parallel "$(nproc)" --timeout 900 --no-tests=error --output-on-failure \
        --output-junit "$junit" "${select[@]}" >"$log" 2>&1 || status=$?
    [[ -s $junit ]] || fail "ctest did not run" "$log"
    # A test that could not start is "notrun" like a skipped one; only its message tells them apart.
    read -r passed failed skipped < <(awk '
        /^\t<testcase / {notrun = /status="notrun"/
            if (/status="run"/) ++passed; else if (/status="disabled"/) ++skipped; else if (!notrun) ++failed}
        /^\t\t<skipped / && notrun {if (/message="SKIP_RE/) ++skipped; else ++failed}
        END {print passed + 0, failed + 0, skipped + 0}' "$junit")
    if ((failed > 0 || status != 0)); then
        grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start ' "$log" | tail -n 200
        ((failed > 0)) || failed=1
    fi
    tally_add "$passed" "$failed" "$skipped"
    printf '   %d passed, %d failed, %d skipped, %d s\n' "$passed" "$failed" "$skipped" $((SECONDS - start))
done
tally_end
