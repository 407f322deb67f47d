# Sourced by the scripts that end in `N passed, N failed[, N skipped]`: adds up what they ran.
# shellcheck shell=bash

tally_passed=0 tally_failed=0 tally_skipped=0

tally_add() { # passed, failed, skipped
    tally_passed=$((tally_passed + $1)) tally_failed=$((tally_failed + $2)) tally_skipped=$((tally_skipped + ${3:-0}))
}

# Runs a script of ours, shows its output, and adds the numbers of its last line; without such a line its exit status
# counts as one test.
tally_run() { # name, command...
    local name=$1 log status=0 last start=$SECONDS
    shift
    log=$(mktemp)
    printf '== %s\n' "$name"
    "$@" </dev/null 2>&1 | tee "$log" || status=$?
    last=$(tail -n 1 "$log")
    rm -f "$log"
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
        tally_add "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[4]:-0}"
        # It stopped for another reason than a failed test; the sum must not look green.
        if ((status != 0 && BASH_REMATCH[2] == 0)); then tally_add 0 1; fi
    elif ((status == 0)) && [[ $last == "skipped: "* ]]; then
        tally_add 0 0 1
    elif ((status == 0)); then
        tally_add 1 0
    else
        tally_add 0 1
    fi
    printf '== %s: %s, %d s\n' "$name" "$( ((status == 0)) && printf passed || printf 'FAILED (exit status %d)' "$status")" \
        $((SECONDS - start))
}

# Prints the last line; fails if anything failed or nothing ran.
tally_end() {
    local line="$tally_passed passed, $tally_failed failed"
    ((tally_skipped == 0)) || line+=", $tally_skipped skipped"
    printf '%s\n' "$line"
    ((tally_failed == 0 && tally_passed > 0))
}
