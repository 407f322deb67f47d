#!/usr/bin/env bash
# From nothing to a forecast: set-up, build, data, training, forecast, scores and pictures in runs/demo/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

training=()
case "${1:-}" in
    "") ;;
    --short) training=(--max-time 40s) ;;
    -h | --help)
        printf 'usage: scripts/demo.sh [--short]\n\n%s\n' "$(sed -n '2s/^# //p' "$0")"
        printf -- '--short: 40 s of training, for a quick look; the scores are then worse.\n'
        exit 0
        ;;
    *)
        printf 'demo: error: unknown option: got %s, expected --short or --help\n' "$1" >&2
        exit 2
        ;;
esac

scripts/setup.sh
printf 'build\n'
mkdir -p build/logs
log=build/logs/demo-build.log
if ! { cmake --preset release && cmake --build --preset release; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    printf 'demo: error: the build failed; the whole log is %s\n' "$log" >&2
    exit 1
fi

readonly run=runs/demo
started=$SECONDS
rm -rf "$run"
mkdir -p "$run"
nowcell() { # shows what a user would type, then does it
    printf '\n$ nowcell %s\n' "$*"
    build/release/bin/nowcell "$@"
}
nowcell data make bouncing-digits --output $run/digits.h5 --size 32 --frames 12 --count 4000 --seed 1
nowcell train --config configs/bouncing_digits.toml --set data.path=$run/digits.h5 --output $run --force "${training[@]}"
nowcell predict --model $run --input $run/digits.h5 --recording 3999 --start 0 --output $run --force
nowcell evaluate --model $run --input $run/digits.h5 --json $run/evaluation.json --csv $run/evaluation.csv

printf '\nPictures, %d s after set-up and build:\n' $((SECONDS - started))
ls $run/*.png $run/*.gif
