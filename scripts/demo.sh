#!/usr/bin/env bash
# From nothing to a forecast: set-up, build, data, training, forecast, scores and pictures in runs/demo/.
# --short: a minute of training for CI; the scores are then worse than the README's.
set -euo pipefail
cd "$(dirname "$0")/.."

short=false
for word in "$@"; do
    case "$word" in
        --short) short=true ;;
        -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
        *) echo "demo.sh: error: unknown option '$word', expected --short or --help" >&2; exit 2 ;;
    esac
done

scripts/setup.sh
echo "== build"
cmake --preset release >build-demo.log 2>&1 && cmake --build --preset release >>build-demo.log 2>&1 ||
    { tail -n 30 build-demo.log >&2; echo "demo.sh: error: the build failed, see build-demo.log" >&2; exit 1; }
rm -f build-demo.log
nowcell=build/release/bin/nowcell
run=runs/demo
started=$SECONDS

rm -rf "$run"
mkdir -p "$run"
set -x
$nowcell data make bouncing-digits --output $run/digits.h5 --size 64 --frames 20 --count 1200 --seed 1
{ set +x; } 2>/dev/null
limit=(--max-time 4m)
if $short; then limit=(--max-time 45s); fi
set -x
$nowcell train --config configs/bouncing_digits.toml --set data.path=$run/digits.h5 --output $run --force "${limit[@]}"
$nowcell predict --model $run --input $run/digits.h5 --horizon 10 --start 0 --output $run/forecast
$nowcell evaluate --model $run --input $run/digits.h5 --json $run/evaluation.json
{ set +x; } 2>/dev/null
cp $run/forecast/strip.png $run/forecast/forecast.gif $run/
echo "demo: $((SECONDS - started)) s after set-up and build. Pictures:"
ls $run/strip.png $run/forecast.gif $run/loss.png $run/validation.png
