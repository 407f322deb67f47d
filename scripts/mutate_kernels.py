#!/usr/bin/env python3
"""Breaks the CUDA kernels on purpose, one place at a time, and shows that their tests notice.

usage: scripts/mutate_kernels.py [--build FOLDER] [--family NAME] [--sample N [--seed N]] [--jobs N]

Each entry of tests/gpu/mutations.toml is applied to a copy of its file, compiled, linked with the rest of the test program
as FOLDER (build/dev) has built it, and run under cudasim in all orders of threads. Caught: the program fails, or
cudasim reports a finding. A survivor, an entry that no longer matches or does not compile, is a failure.
The last line is `N passed, N failed`, or `skipped: ...` where nvcc or the simulator is missing.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIST = ROOT / "tests/gpu/mutations.toml"
ARCHITECTURE = 80
UNSUPPORTED = 67  # cudasim's own inability
LAUNCH_INSTRUCTIONS = 100_000_000  # twenty times the longest launch of the tests; then it counts as hung
LAST_LINES = 3


class Broken(Exception):
    """The entry, not the kernel, is at fault."""


def simulator():
    found = subprocess.run([ROOT / "scripts/gpu_test.sh", "--find-simulator"], capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


def run_tests(cudasim, program, schedule):
    return subprocess.run(
        [cudasim, "--schedule", schedule, "--arch", str(ARCHITECTURE), "--max-instructions", str(LAUNCH_INSTRUCTIONS),
         "--max-findings", "1", "--", program],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)


def mutated(entry, folder):
    """Writes the changed file; returns its path."""
    text = (ROOT / entry["file"]).read_text()
    if (count := text.count(entry["find"])) != 1:
        raise Broken(f"{entry['file']}: got {count} places that read {entry['find']!r}, expected 1")
    path = folder / entry["file"]
    path.parent.mkdir(parents=True)
    path.write_text(text.replace(entry["find"], entry["replace"]))
    return path


def build(family, entry, folder, build_folder):
    """The program with the kernels of the changed file; everything else is the build's own."""
    changed = mutated(entry, folder)
    objects = []
    for source in entry.get("sources", family["sources"]):
        path = changed if source == entry["file"] else ROOT / source
        objects.append(folder / (pathlib.Path(source).stem + ".o"))
        command = ["nvcc", "-std=c++17", "-O1", "-lineinfo", "--no-compress", f"-I{folder}", f"-I{ROOT}", "-c", path, "-o",
                   objects[-1], "-gencode", f"arch=compute_{ARCHITECTURE},code=compute_{ARCHITECTURE}"]
        if subprocess.run(command, capture_output=True).returncode != 0:
            raise Broken(f"{source} does not compile: " + " ".join(map(str, command)))
    gpu = build_folder / "tests/gpu"
    test, program = family["test"], folder / family["test"]
    subprocess.run(["nvcc", "-cudart", "shared", "-o", program, *objects, gpu / f"CMakeFiles/{test}.dir/{test}.cu.o",
                    gpu / "libgpu_harness.a", gpu / "libgpu_kernels.a"], check=True, capture_output=True)
    return program


def attempt(family, entry, cudasim, build_folder):
    """(caught, what to print)"""
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        result = run_tests(cudasim, build(family, entry, folder, build_folder), "all")
        lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
        if result.returncode == UNSUPPORTED:
            raise Broken("cudasim cannot run it: " + " ".join(lines[-LAST_LINES:]))
        if result.returncode == 0:
            return False, "SURVIVED: no test and no check noticed"
        noticed = next((line for line in lines if re.match(r"cudasim: \[|.*(differ|FAILED|got )", line)), lines[-1])
        return True, "caught: " + noticed[:110]
    except Broken as error:
        return False, f"BROKEN ENTRY: {error}"
    except subprocess.TimeoutExpired:
        return False, "BROKEN ENTRY: it runs for more than 15 minutes"
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/dev")
    parser.add_argument("--family")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()

    cudasim = simulator()
    if cudasim is None or shutil.which("nvcc") is None:
        print("skipped: breaking kernels needs nvcc and the simulator cudasim")
        return
    families = tomllib.loads(LIST.read_text())["family"]
    work = [(family, entry) for family in families if options.family in (None, family["name"])
            for entry in family["mutation"]]
    if not work:
        sys.exit(f"mutate_kernels: error: --family: got {options.family}, expected one of "
                 + ", ".join(family["name"] for family in families))
    if options.sample is not None:
        work = random.Random(options.seed).sample(work, min(options.sample, len(work)))
    for test in sorted({family["test"] for family, _ in work}):
        if run_tests(cudasim, options.build / "bin" / test, "forward").returncode != 0:
            sys.exit(f"mutate_kernels: error: {test} fails with the kernels as they are")

    survived = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda pair: attempt(*pair, cudasim, options.build), work)
        for (family, entry), (caught, text) in zip(work, results):
            survived += not caught
            print(f"{family['name']}: {entry['name']}\n    {text}", flush=True)
    print(f"{len(work) - survived} passed, {survived} failed")
    sys.exit(1 if survived else 0)


main()
