#!/usr/bin/env python3
"""Registers, shared memory and stack of every kernel on every GPU, against the table resources.txt beside this file.

usage: resources.py LIBRARY [--nvcc NVCC] [--write]

Reads the machine code in LIBRARY, libnowcell_cuda_kernels.a of a build. Any difference is a failure, growth or not;
--write makes the table anew. ptxas of another toolkit allots registers differently: the table is then not compared.
"""

import argparse
import difflib
import pathlib
import re
import subprocess
import sys

import fatbin

TABLE = pathlib.Path(__file__).with_suffix(".txt")
REGISTERS = 65536  # of a multiprocessor
MANUAL = """\
# Registers of a thread on each GPU; bytes of shared memory of a block, on 9.0 and later with 1024 of the system's;
# bytes of stack, which only spills or local arrays need. One number where all GPUs agree.
# Refreshed with: python3 tests/gpu/resources.py build/dev/libnowcell_cuda_kernels.a --write
"""


def toolkit(nvcc):
    text = subprocess.run([nvcc, "--version"], check=True, capture_output=True, text=True).stdout
    return re.search(r"V(\d[\d.]*)", text).group(1)


def column(numbers):
    return str(numbers[0]) if len(set(numbers)) == 1 else "/".join(map(str, numbers))


def table(library):
    """The table's text, the architectures, and what cannot be launched at all."""
    found = {}
    for image in fatbin.images(library):
        if not image.is_ptx:
            for name, kernel in fatbin.kernels(image).items():
                found.setdefault(name, {})[image.architecture] = kernel
    architectures = sorted({a for kernel in found.values() for a in kernel})
    lines, wrong = [], []
    for name, kernel in sorted(found.items()):
        if sorted(kernel) != architectures:
            wrong.append(f"{name}: is there for {sorted(kernel)} only, expected {architectures}")
            continue
        each = [kernel[a] for a in architectures]
        lines.append(f"{name:<44} {column([k.registers for k in each]):<24} {column([k.shared for k in each]):<36} "
                     f"{column([k.stack for k in each])}")
        for a, k in kernel.items():
            if k.threads == 0 or -(-k.registers // 8) * 8 * k.threads > REGISTERS:
                wrong.append(f"{name}: got {k.registers} registers x {k.threads} threads on sm_{a}, expected a bound "
                             f"on threads and at most {REGISTERS} registers: see __launch_bounds__")
    return lines, architectures, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()

    lines, architectures, wrong = table(options.library)
    if wrong or not lines:
        sys.exit("resources: error: " + ("\n".join(wrong) or f"{options.library} holds no kernels"))
    first = f"# nvcc {toolkit(options.nvcc)}; sm_{' '.join(map(str, architectures))}\n"
    head = f"{'# kernel':<44} {'registers':<24} {'shared':<36} stack"
    text = first + MANUAL + "\n".join([head, *lines]) + "\n"
    if options.write:
        TABLE.write_text(text)
        print(f"{TABLE.name}: {len(lines)} kernels, {len(architectures)} GPUs")
        return
    kept = TABLE.read_text()
    kept_first = kept.partition("\n")[0]
    if kept_first != first.strip():
        print(f"skipped: the table is of {kept_first[2:]!r}, this build of {first[2:].strip()!r}")
        return
    if kept != text:
        difference = difflib.unified_diff(kept.splitlines(), text.splitlines(), TABLE.name, "this build", n=0, lineterm="")
        print("\n".join(line for line in difference if not line.startswith("@@")))
        sys.exit("resources: error: kernels need other registers or memory than resources.txt says. If that is meant, run:\n"
                 f"  python3 tests/gpu/resources.py {options.library} --write")
    print(f"{len(lines)} kernels need what resources.txt says")


main()
