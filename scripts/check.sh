#!/usr/bin/env bash
# Checks that need no build: format, include direction, no machine's own paths, a README per folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/tally.sh
source scripts/tally.sh

if (($# > 0)); then
    printf 'usage: scripts/check.sh\n\nChecks format, include direction, paths and READMEs; ends in "N passed, N failed".\n'
    [[ $1 == --help || $1 == -h ]] && exit 0
    exit 2
fi

# Include direction: a file includes its own folder and the folders before it.
readonly folders=(cells src data predict train)
# These stand after all folders: the program, and the list of all verbs that it shares with the library.
readonly linked_last='src/(main|surface)\.cpp'

# New files count before they are added to git.
files() { git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
    [[ ! -f $file ]] || printf '%s\n' "$file"
done; }

check() { # name, function printing what is wrong
    local wrong
    wrong=$("$2") || wrong+="${wrong:+$'\n'}the check itself stopped with exit status $?"
    if [[ -z $wrong ]]; then
        printf '%-20s passed\n' "$1"
        tally_add 1 0
    else
        printf '%-20s FAILED\n' "$1"
        printf '  %s\n' "${wrong//$'\n'/$'\n'  }"
        tally_add 0 1
    fi
}

format() {
    if ! command -v clang-format >/dev/null; then
        printf 'clang-format is missing: run scripts/setup.sh --dev\n'
        return
    fi
    # The first offending line of each file is enough to find it.
    files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs -r -d '\n' -P "$(nproc)" -n 8 clang-format --dry-run 2>&1 |
        sed -n 's/^\([^ :]*\):\([0-9]*\):.*clang-format-violations.*/\1 \2/p' | sort -k1,1 -k2,2n | awk '
            {++count[$1]; if (!($1 in line)) line[$1] = $2}
            END {for (file in count) print file ":" line[file] ": " count[file] " places; run clang-format -i " file}' | sort
}

include_direction() {
    local -a allowed=()
    local folder
    for folder in "${folders[@]}"; do
        allowed+=("$folder")
        files "$folder/*.h" "$folder/*.cpp" "$folder/*.cu" "$folder/*.cuh" | { grep -vxE "$linked_last" || true; } |
            { xargs -r -d '\n' grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' /dev/null || true; } |
            awk -F'"' -v allowed="${allowed[*]}" -v own="$folder" '
                BEGIN {split(allowed, list, " "); for (i in list) ok[list[i]] = 1}
                {split($2, part, "/"); split($1, place, ":")
                 if (!(part[1] in ok)) print place[1] ":" place[2] ": got \"" $2 "\", expected a path from the root into: " allowed}'
    done
}

# A path into somebody's home or work folder works on that one machine only.
machine_paths() {
    files | xargs -r -d '\n' grep -nIE '(^|[^[:alnum:]_.$}/-])/(home|root|work|Users)/[[:alnum:]_.]' /dev/null | cut -c1-160 || true
}

readmes() {
    local folder
    for folder in "${folders[@]}"; do
        [[ -s $folder/README.md ]] || printf '%s/README.md is missing\n' "$folder"
    done
}

check "format" format
check "include direction" include_direction
check "machine paths" machine_paths
check "folder READMEs" readmes
tally_end
