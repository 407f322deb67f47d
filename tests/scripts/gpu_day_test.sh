#!/usr/bin/env bash
# scripts/gpu_day.sh with tools that only pretend: which parts run, what a failure stops, what the report holds.
set -euo pipefail
readonly script=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

expect() { # what, got, expected
    [[ $2 == "$3" ]] || { printf '%s: got %s, expected %s\n' "$1" "$2" "$3" && failures=$((failures + 1)); }
}
holds() { # file, text
    grep -qF -- "$2" "$1" || { printf '%s lacks "%s":\n' "$1" "$2" && cat "$1" && failures=$((failures + 1)); }
}
run() { # expected status, arguments...; with the tools in $work/tools first on PATH
    local expected=$1 status=0
    shift
    PATH=$work/tools:$PATH Torch_DIR='' "$script" "$@" >"$work/out" 2>&1 || status=$?
    expect "exit status of gpu_day.sh $*" "$status" "$expected"
}
tool() { # name, body
    printf '#!/usr/bin/env bash\n%s\n' "$2" >"$work/tools/$1"
    chmod +x "$work/tools/$1"
}

mkdir "$work/tools"
tool nvidia-smi 'exit 9'
run 5
holds "$work/out" "no GPU"
run 2 --device gpu
run 2 --unknown
run 0 --help
holds "$work/out" "Exit codes"
run 0 --dry-run
holds "$work/out" "gates_test on the GPU"
holds "$work/out" "nowcell-cells check"

tool nvidia-smi 'echo 9.0'
tool nvcc ':'
tool ninja ':'
tool python3 ':'
# shellcheck disable=SC2016 # expanded by the tool
tool compute-sanitizer 'exec "${@: -1}"'
# shellcheck disable=SC2016
tool cmake '[[ $1 == --build ]] || exit 0
mkdir -p "$2/bin"
printf "#!/bin/sh\nexit \$STATUS\n" >"$2/one_test"
printf "#!/bin/sh\necho numbers of \$1\n" >"$2/bin/nowcell-cells"
chmod +x "$2/one_test" "$2/bin/nowcell-cells"'
export STATUS=0
run 0 --build "$work/build" --report "$work/report.txt"
expect "last line" "$(tail -n 1 "$work/out")" "9 passed, 0 failed"
holds "$work/report.txt" "-DCMAKE_CUDA_ARCHITECTURES=90-real"
holds "$work/report.txt" "one_test under racecheck"
export STATUS=3
run 1 --build "$work/build" --report "$work/report.txt"
expect "last line" "$(tail -n 1 "$work/report.txt")" "4 passed, 5 failed"
holds "$work/report.txt" "numbers of bench"
exit $((failures > 0))
