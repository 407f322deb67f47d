#!/usr/bin/env bash
# Scores every model of a suite on every data set of it; `--help` tells more.
set -euo pipefail

usage() {
    cat <<'END'
usage: scripts/evaluate_all.sh SUITE.toml [FOLDER] [option of nowcell evaluate ...]

Scores many models on many data sets, beside every baseline, and writes one table: FOLDER/table.txt, suite.json,
per_lead.csv, and for each data set a folder with scores, curves, strips and animations. FOLDER: SUITE's name, by default.

A suite is a TOML file; paths count from its folder:

  title = "Rain of August"

  [[model]]
  path = "runs/radar"            # a run directory or a checkpoint; name = "..." for the table

  [[data]]
  path = "radar.h5"              # a file or folder of frames; also name, dataset, target, split

  [eval]                         # keys that `nowcell config keys eval` lists
  thresholds = [0.1, 1.0]

Examples: scripts/evaluate_all.sh rain.toml
          scripts/evaluate_all.sh rain.toml scores --fail-if 'skill<0' --force

Builds the program where it is missing. Ends with the code of `nowcell evaluate`: 10 when a bar was missed, that of the first
failure when a pair could not be scored (the others are), 2 on a wrong command line.
END
}

case ${1:-} in
    -h | --help) usage && exit 0 ;;
    '')
        usage >&2
        exit 2
        ;;
esac
readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
suite=$1
shift
name=${suite##*/}
folder=${name%.toml}
if (($# > 0)) && [[ $1 != -* ]]; then
    folder=$1
    shift
fi

program=${NOWCELL:-$root/build/release/bin/nowcell}
if [[ ! -x $program ]]; then
    "$root/scripts/setup.sh"
    (cd "$root" && cmake --preset release && cmake --build --preset release) >&2
fi
"$program" evaluate --suite "$suite" --folder "$folder" --output "$folder/table.txt" --json "$folder/suite.json" \
    --csv "$folder/per_lead.csv" "$@" && code=0 || code=$?
if [[ -e $folder/table.txt ]]; then cat "$folder/table.txt"; fi
exit "$code"
