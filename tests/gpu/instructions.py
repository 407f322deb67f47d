#!/usr/bin/env python3
"""Looks for promised and for forbidden instructions in the PTX of every kernel; the rules are in instructions.toml.

usage: instructions.py LIBRARY      (libgpu_kernels.a of a build)
"""

import pathlib
import re
import sys
import tomllib

import fatbin

RULES = pathlib.Path(__file__).with_suffix(".toml")


def broken(rules, architecture, name, ptx):
    for rule in rules["forbidden"]:
        if re.fullmatch(rule.get("but", "$"), name):
            continue
        if found := re.search(rf"^.*{rule['ptx']}.*$", ptx, re.MULTILINE):
            yield f"{name} (compute_{architecture}): got `{found[0].strip()}`, expected none: {rule['what']}"
    for rule in rules["required"]:
        if re.fullmatch(rule["kernels"], name) and not re.search(rule["ptx"], ptx):
            yield f"{name} (compute_{architecture}): got none of /{rule['ptx']}/, expected some: {rule['what']}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rules = tomllib.loads(RULES.read_text())
    seen, wrong = set(), []
    for image in fatbin.images(sys.argv[1]):
        for name, ptx in fatbin.ptx_entries(image).items() if image.is_ptx else ():
            seen.add(name)
            wrong += broken(rules, image.architecture, name, ptx)
    for rule in rules["required"]:
        if not any(re.fullmatch(rule["kernels"], name) for name in seen):
            wrong.append(f"{RULES.name}: no kernel matches {rule['kernels']}: it was renamed or is gone")
    if wrong:
        sys.exit("instructions: error: " + "\n".join(sorted(set(wrong))))
    print(f"{len(seen)} kernels keep {sum(map(len, rules.values()))} rules")


main()
