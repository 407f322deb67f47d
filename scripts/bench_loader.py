#!/usr/bin/env python3
"""Times Nowcell's loader beside h5py with a PyTorch DataLoader on the same files, in turn, with the same workers.

Both serve shuffled batches of float32 windows in physical units from the page cache. ratio: windows per second of
`nowcell bench data --input` over those of the DataLoader, the median of the rounds' own ratios. The DataLoader is the
usual one: a Dataset that opens the file once per worker and scales what it reads, persistent workers, prefetch of 2.
Batches of both are checked to hold the same values before anything is timed.

--setup makes a virtual environment with h5py and NumPy in the cache folder; PyTorch is the one that
scripts/setup.sh --cuda unpacked. Exit status 1 when the values differ.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import make_golden

ROOT, CACHE, TORCH = make_golden.ROOT, make_golden.CACHE, make_golden.TORCH
PINS = ["h5py==3.16.0", "numpy==2.4.6"]
PROGRAM = ROOT / "build" / "release" / "bin" / "nowcell"
STEPS, SIDE, RECORDINGS, BATCH, ROUNDS = 20, 128, 96, 8, 5


def write_files(folder):
    """The same smooth fields with a little noise, stored in three ways: name, path."""
    import h5py
    import numpy as np
    random = np.random.default_rng(0)
    coarse = random.standard_normal((RECORDINGS, STEPS, SIDE // 16, SIDE // 16))
    smooth = np.repeat(np.repeat(coarse, 16, 2), 16, 3) + 0.02 * random.standard_normal((RECORDINGS, STEPS, SIDE, SIDE))
    values = (280 + 8 * smooth).astype(np.float32)
    packed = np.round((values - 200) / 0.01).astype(np.uint16)
    sample = (1, STEPS, SIDE, SIDE)
    for name, data, options in (("float32, chunk = window", values, {}),
                                ("uint16 packed, chunk = window", packed, {}),
                                ("uint16 packed, gzip, chunk = window", packed,
                                 {"compression": "gzip", "compression_opts": 4, "shuffle": True})):
        path = folder / f"{len(list(folder.iterdir()))}.h5"
        with h5py.File(path, "w") as file:
            frames = file.create_dataset("frames", data=data, chunks=sample, **options)
            if data.dtype != np.float32:
                frames.attrs["scale_factor"], frames.attrs["add_offset"] = 0.01, 200.0
        yield name, path


def open_loader(path, workers):
    import h5py
    import numpy as np
    import torch

    class Windows(torch.utils.data.Dataset):
        def __init__(self):
            self.file = None

        def __len__(self):
            return RECORDINGS

        def __getitem__(self, index):
            if self.file is None:
                self.file = h5py.File(path, "r")
                self.frames = self.file["frames"]
                self.scale = self.frames.attrs.get("scale_factor"), self.frames.attrs.get("add_offset")
            frames = self.frames[index]
            if self.scale[0] is not None:
                frames = (frames * np.float32(self.scale[0]) + np.float32(self.scale[1])).astype(np.float32)
            return torch.from_numpy(frames)

    return torch.utils.data.DataLoader(Windows(), batch_size=BATCH, shuffle=True, num_workers=workers,
                                       persistent_workers=True, prefetch_factor=2)


def epoch_rate(loader):
    start = time.perf_counter()
    for _ in loader:
        pass
    return RECORDINGS / (time.perf_counter() - start)


def our_rate(path, workers):
    command = [PROGRAM, "bench", "data", "--input", path, "--window", str(STEPS), "--batch", str(BATCH), "--readers",
               str(workers), "--json", "-"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return report["windows_per_s"][str(workers)]


def same_values(path, folder):
    """Whether our frames equal h5py's to the last bit that scaling in double precision leaves."""
    import h5py
    import numpy as np
    copy = folder / "copy.npy"
    subprocess.run([PROGRAM, "data", "convert", path, "-o", copy, "--force", "-q"], check=True, capture_output=True)
    with h5py.File(path) as file:
        frames = file["frames"]
        scale, offset = frames.attrs.get("scale_factor", 1.0), frames.attrs.get("add_offset", 0.0)
        ours = np.load(copy)
        return bool(np.array_equal(ours, (frames[...] * np.float64(scale) + offset).astype(np.float32)))


def enter_environment(folder, setup):
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    python = folder / "bin" / "python"
    if setup:
        if not python.exists():
            venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PINS], check=True,
                       stdout=sys.stderr)
    if python.exists():
        os.execv(python, [python, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="reader processes of both (%(default)s)")
    parser.add_argument("--setup", action="store_true", help="install h5py and NumPy first")
    parser.add_argument("--venv", type=Path, default=CACHE / "loader", help="virtual environment (%(default)s)")
    parser.add_argument("--torch", type=Path, default=CACHE / f"libtorch-{TORCH}",
                        help="folder that holds PyTorch (%(default)s)")
    arguments = parser.parse_args()
    enter_environment(arguments.venv, arguments.setup)
    sys.path.append(str(arguments.torch))
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{arguments.workers} workers, batches of {BATCH} windows of {STEPS} x {SIDE} x {SIDE} px\n\n"
              f"{'stored as':<38} {'nowcell/s':>9} {'DataLoader/s':>12} {'ratio':>6}")
        for what, path in list(write_files(folder)):
            if not same_values(path, folder):
                print(f"{what:<38} the values differ")
                good = False
                continue
            loader = open_loader(path, arguments.workers)
            epoch_rate(loader)
            pairs = [(our_rate(path, arguments.workers), epoch_rate(loader)) for _ in range(ROUNDS)]
            ours, theirs = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
            ratio = statistics.median(a / b for a, b in pairs)
            print(f"{what:<38} {ours:>9.0f} {theirs:>12.0f} {ratio:>5.1f}x", flush=True)
            del loader
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
