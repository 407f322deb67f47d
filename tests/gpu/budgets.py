#!/usr/bin/env python3
"""Runs the profiles of CUDA test programs under cudasim and compares how kernels move memory with budgets.toml.

usage: budgets.py --kernels LIBRARY PROGRAM...

LIBRARY is libgpu_kernels.a of a build: each kernel in it must have been launched by one of the profiles (GPU_PROFILE in
the programs). Counts of a simulator are exact for the pattern of accesses; they know no caches.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

import fatbin

BUDGETS = pathlib.Path(__file__).with_suffix(".toml")
GPU_TEST = pathlib.Path(__file__).parents[2] / "scripts/gpu_test.sh"
GLOBAL = ("global_load", "global_store")


def profile(cudasim, program):
    with tempfile.TemporaryDirectory() as folder:
        report = f"{folder}/profile.json"
        subprocess.run([cudasim, "--schedule", "forward", "--profile", report, "--", program, "--profile"], check=True,
                       stdout=subprocess.DEVNULL)
        with open(report) as file:
            return json.load(file)["kernels"]


def efficiency(lines, directions):
    """Bytes asked for per byte of the sectors touched; lanes that read the same number count once. None: no accesses."""
    used = touched = 0.0
    for access in (line[direction] for line in lines for direction in directions if direction in line):
        sectors = access["requests"] * access["sectors_per_request"]
        touched += sectors
        used += sectors * min(1.0, access["efficiency"])
    return used / touched if touched else None


def wavefronts(lines):
    """Over the ideal, the mean of the lines by their requests. None: no accesses."""
    shared = [line["shared"] for line in lines if "shared" in line]
    requests = sum(s["requests"] for s in shared)
    return sum(s["requests"] * s["wavefront_ratio"] for s in shared) / requests if requests else None


def worst_line(lines):
    found = [(line[direction]["efficiency"], line["source"]) for line in lines for direction in GLOBAL if direction in line]
    return min(found)[1]


def text(number):
    return "-" if number is None else f"{number:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", required=True)
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()
    found = subprocess.run([GPU_TEST, "--find-simulator"], capture_output=True, text=True)
    if found.returncode == 1:
        print("skipped: no simulator; cudasim can be named by CUDASIM")
        return
    found.check_returncode()

    budgets = tomllib.loads(BUDGETS.read_text())
    expected = {name for image in fatbin.images(options.kernels) if image.is_ptx for name in fatbin.ptx_entries(image)}
    measured, wrong = {}, []
    for program in options.programs:
        measured |= {kernel["name"]: kernel["lines"] for kernel in profile(found.stdout.strip(), program)}
    print(f"{'kernel':<44} {'global':>6} {'loads':>6} {'stores':>6} {'shared':>6}")
    for name, lines in sorted(measured.items()):
        if name not in expected:  # a kernel of the test itself
            continue
        budget = budgets | next((e for e in budgets["except"] if re.fullmatch(e["kernels"], name)), {})
        shared = wavefronts(lines)
        print(f"{name:<44} " + " ".join(f"{text(efficiency(lines, which)):>6}" for which in (GLOBAL, GLOBAL[:1], GLOBAL[1:])) +
              f" {text(shared):>6}")
        if (got := efficiency(lines, GLOBAL)) is not None and got < budget["efficiency"]:
            wrong.append(f"{name}: global accesses use {got:.2f} of their sectors, expected {budget['efficiency']} or more; "
                         f"the worst are at {worst_line(lines)}")
        if shared is not None and shared > budget["wavefronts"]:
            wrong.append(f"{name}: shared memory takes {shared:.2f} times the ideal wavefronts, expected at most "
                         f"{budget['wavefronts']}")
    wrong += [f"{name}: no profile launches it; add it to a GPU_PROFILE" for name in sorted(expected - set(measured))]
    if wrong or not expected:
        sys.exit("budgets: error: " + ("\n".join(wrong) or f"{options.kernels} holds no kernels"))


main()
