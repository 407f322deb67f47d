#!/usr/bin/env python3
"""Reads what nowcell writes with other people's libraries: h5py, netCDF4 and numpy.

Sources of every kind (packed integers, floats with holes, pictures, recordings of different lengths, a time axis with
a gap, a calendar of 360 days) are made here, turned into HDF5 and .npy by `nowcell data convert` and `data repack`, and
read back: values, types, attributes, dimensions and dates must be what went in. Likewise the forecasts of a small
network (`nowcell predict`). Ends with 1 when anything differs.

The modules are taken from the Python that runs this; where they are missing, the first run makes a virtual environment
with pip (0.2 GB).
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from make_golden import CACHE, ROOT

PINS = ["h5py==3.16.0", "netCDF4==1.7.5.1.post1", "numpy==2.4.6", "pillow"]
MODULES = ["h5py", "netCDF4", "numpy", "PIL"]


def enter_environment(folder):
    """Goes on in a virtual environment that has the modules, making it first where there is none."""
    if all(importlib.util.find_spec(module) for module in MODULES):
        return
    python = folder / "bin" / "python"
    if Path(sys.prefix) == folder.resolve():
        sys.exit(f"{folder} lacks one of {', '.join(MODULES)}: remove it and run again")
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PINS], check=True)
    os.execv(python, [python, *sys.argv])


class Checks:
    """Counts and prints what agrees."""

    def __init__(self):
        self.failed = self.passed = 0

    def __call__(self, what, good):
        print(f"{'ok' if good else 'DIFFERS':<9}{what}")
        self.passed += bool(good)
        self.failed += not good


def nowcell(program, folder, *words):
    done = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"nowcell {' '.join(words)}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def make_sources(folder, np, h5py, image):
    random = np.random.default_rng(7)
    rain = random.integers(0, 3000, (30, 17, 23), dtype=np.uint16)
    rain[3, 2:5, 7] = 65535
    with h5py.File(folder / "rain.h5", "w") as file:
        frames = file.create_dataset("rain", data=rain, chunks=(1, 17, 23), compression="gzip")
        frames.attrs.update({"scale_factor": 0.01, "_FillValue": np.uint16(65535), "units": "mm", "step_s": 300.0,
                             "start": "2010-08-26 00:00"})
    heat = random.normal(280, 10, (12, 9, 11)).astype(np.float32)
    heat[5, 1, 1] = np.nan
    with h5py.File(folder / "heat.nc", "w") as file:  # a model's calendar: February has 30 days
        file["time"] = 6.0 * np.arange(12)
        file["time"].attrs.update({"units": "hours since 2001-02-28 12:00", "calendar": "360_day"})
        file["heat"] = heat
        file["heat"].attrs["units"] = "K"
        file["time"].make_scale("time")
        file["heat"].dims[0].attach_scale(file["time"])
    colour = random.integers(0, 256, (6, 15, 21, 3), dtype=np.uint8)
    (folder / "colour").mkdir()
    for i, picture in enumerate(colour):
        image.fromarray(picture).save(folder / "colour" / f"frame{i}.png")
    deep = [random.integers(0, 60000, (count, 8, 10), dtype=np.uint16) for count in (4, 6)]
    for name, pictures in zip("ab", deep):
        (folder / "scenes" / name).mkdir(parents=True)
        for i, picture in enumerate(pictures):
            image.fromarray(picture).save(folder / "scenes" / name / f"{i:03}.png")
    several = random.integers(-500, 500, (5, 8, 10, 12), dtype=np.int16)
    np.save(folder / "several.npy", several)
    np.save(folder / "movies.npy", random.integers(0, 256, (4, 6, 15, 21, 3), dtype=np.uint8))
    gap = random.integers(0, 255, (10, 8, 9), dtype=np.uint8)
    with h5py.File(folder / "gap.h5", "w") as file:
        file["frames"] = gap
        file["time"] = np.array([0, 1, 2, 3, 7, 8, 9, 10, 11, 12], float)
        file["time"].attrs["units"] = "hours since 2020-01-01 00:00"
    return dict(rain=rain, heat=heat, colour=colour, deep=deep, several=several, gap=gap)


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def check_rain(check, folder, sources, np, h5py, netcdf):
    rain = sources["rain"]
    with h5py.File(folder / "rain_out.h5") as file:
        frames = file["frames"]
        check("rain, h5py: stored integers and type", frames.dtype == np.uint16 and np.array_equal(frames[:], rain))
        check("rain, h5py: scale_factor, units, _FillValue in the type of the values",
              frames.attrs["scale_factor"] == 0.01 and text(frames.attrs["units"]) == "mm" and
              frames.attrs["_FillValue"] == 65535 and frames.attrs["_FillValue"].dtype == np.uint16)
        check("rain, h5py: chunk is a window; shuffle, deflate 4, Fletcher32",
              frames.chunks == (10, 17, 23) and frames.shuffle and frames.fletcher32 and
              (frames.compression, frames.compression_opts) == ("gzip", 4))
        check("rain, h5py: dimension scales", file["time"].is_scale and frames.dims[0][0] == file["time"])
        check("rain, h5py: history", "data repack rain.h5" in text(file.attrs["history"]))
    with netcdf.Dataset(folder / "rain_out.h5") as file:
        frames = file["frames"]
        values = frames[:]
        check("rain, netCDF4: dimensions (time, y, x)", frames.dimensions == ("time", "y", "x"))
        check("rain, netCDF4: values in mm", np.allclose(values.filled(-1), np.where(rain == 65535, -1, rain * 0.01)))
        check("rain, netCDF4: missing values are masked", np.array_equal(np.ma.getmaskarray(values), rain == 65535))
        time = file["time"]
        dates = netcdf.num2date(time[:], time.units, time.calendar)
        check("rain, netCDF4: dates", [str(date) for date in dates[:2]] == ["2010-08-26 00:00:00", "2010-08-26 00:05:00"])


def check_heat(check, folder, sources, np, h5py, netcdf):
    heat = sources["heat"]
    with h5py.File(folder / "heat_out.h5") as file:
        check("heat, h5py: float32 bit for bit, NaN too", np.array_equal(file["frames"][:], heat, equal_nan=True))
        check("heat, h5py: _FillValue is NaN", np.isnan(file["frames"].attrs["_FillValue"]))
    with netcdf.Dataset(folder / "heat_out.h5") as file:
        time = file["time"]
        dates = netcdf.num2date(time[:], time.units, time.calendar)
        check("heat, netCDF4: calendar of 360 days",
              time.calendar == "360_day" and [str(dates[i]) for i in (0, 2, 6, 11)] ==
              ["2001-02-28 12:00:00", "2001-02-29 00:00:00", "2001-02-30 00:00:00", "2001-03-01 06:00:00"])
        check("heat, netCDF4: units", file["frames"].units == "K")
        check("heat, netCDF4: NaN is masked or NaN", bool(np.ma.getmaskarray(file["frames"][:])[5, 1, 1]) or
              np.isnan(file["frames"][:][5, 1, 1]))
    check("heat, numpy: float32 bit for bit", np.array_equal(np.load(folder / "heat.npy"), heat, equal_nan=True))


def check_others(check, folder, sources, np, h5py, netcdf):
    with h5py.File(folder / "colour_out.h5") as file:
        check("colour, h5py: (1,T,H,W,3) uint8", np.array_equal(file["frames"][:], sources["colour"][None]))
    with netcdf.Dataset(folder / "colour_out.h5") as file:
        check("colour, netCDF4: dimensions",
              file["frames"].dimensions == ("recording", "time", "y", "x", "channel"))
    check("colour, numpy", np.array_equal(np.load(folder / "colour.npy"), sources["colour"][None]))
    with h5py.File(folder / "scenes_out.h5") as file:
        check("scenes, h5py: a dataset for each recording",
              all(np.array_equal(file[f"recording_{i + 1:04}"][:], part) for i, part in enumerate(sources["deep"])))
    with netcdf.Dataset(folder / "scenes_out.h5") as file:
        check("scenes, netCDF4", file["recording_0002"].dimensions == ("time_0002", "y", "x"))
    with h5py.File(folder / "several_out.h5") as file:
        check("several, h5py: int16, chunk of one recording",
              np.array_equal(file["frames"][:], sources["several"]) and file["frames"].chunks == (1, 8, 10, 12))
    back = np.load(folder / "several_again.npy", mmap_mode="r")
    check("several, numpy: int16 through HDF5 and back", back.dtype == np.int16 and
          np.array_equal(back, sources["several"]))
    with h5py.File(folder / "gap_out.h5") as file:
        parts = [file["recording_0001"][:], file["recording_0002"][:]]
        check("gap, h5py: cut where time jumps",
              [len(part) for part in parts] == [4, 6] and np.array_equal(np.concatenate(parts), sources["gap"]))
    with netcdf.Dataset(folder / "gap_out.h5") as file:
        check("gap, netCDF4: the time of the first part alone",
              "since 2020-01-01" in file["time_0001"].units and "since" not in file["time_0002"].units)


def make_forecasts(program, folder):
    """Of dated frames with an odd calendar, and of recordings without times, in colour."""
    layers = '[[model.layers]]\nfilters = 2\n'
    for name, data in (("heat", 'path = "heat.nc"\nmissing = "mask"'),
                       ("colour", 'path = "movies.npy"\nlayout = "nthwc"')):
        (folder / f"{name}.toml").write_text(
            f"[data]\n{data}\ninput_steps = 2\noutput_steps = 1\nsplit = {{ train = [0.0, 0.5], validation = [0.5, 0.75], test = [0.75, 1.0] }}\n"
            f"[train]\nepochs = 1\nbatch = 2\n{layers}")
        nowcell(program, folder, "train", "--config", f"{name}.toml", "--output", f"run_{name}")
    formats = ("--as", "h5,npy,png")
    nowcell(program, folder, "predict", "--model", "run_heat", "--input", "heat.nc", "--horizon", "40", *formats,
            "--output", "heat_forecast")
    nowcell(program, folder, "predict", "--model", "run_colour", "--input", "movies.npy", "--horizon", "5", *formats,
            "--output", "colour_forecast")


def check_forecasts(check, folder, np, h5py, netcdf, image):
    with netcdf.Dataset(folder / "heat_forecast" / "forecast.h5") as file:
        frames = file["frames"]
        check("forecast, netCDF4: dimensions (recording, lead, y, x)",
              frames.dimensions == ("recording", "lead", "y", "x") and frames.shape == (1, 40, 9, 11))
        check("forecast, netCDF4: units, conventions, history",
              frames.units == "K" and file.Conventions == "CF-1.8" and "predict --model run_heat" in file.history)
        check("forecast, netCDF4: lead times", file["lead"].units == "s" and
              np.array_equal(file["lead"][:], 21600.0 * np.arange(1, 41)))
        times, reference = file["time"], file["forecast_reference_time"]
        dates = netcdf.num2date(times[0], times.units, times.calendar)
        check("forecast, netCDF4: dates in a calendar of 360 days", times.calendar == "360_day" and
              [str(dates[i]) for i in (0, 1)] == ["2001-03-01 12:00:00", "2001-03-01 18:00:00"] and
              str(netcdf.num2date(reference[0], reference.units, reference.calendar)) == "2001-03-01 06:00:00")
        check("forecast, netCDF4: each coordinate is a variable",
              all(name in file.variables for name in frames.coordinates.split()))
        values = np.asarray(frames[:])
    with h5py.File(folder / "heat_forecast" / "forecast.h5") as file:
        check("forecast, h5py: dimension scales", [dim[0].name for dim in file["frames"].dims] ==
              ["/recording", "/lead", "/y", "/x"])
        check("forecast, h5py: finite float32", file["frames"].dtype == np.float32 and np.isfinite(file["frames"][:]).all())
    check("forecast, numpy: the same values", np.array_equal(np.load(folder / "heat_forecast" / "forecast.npy"), values))
    scale = json.loads((folder / "heat_forecast" / "png" / "scale.json").read_text())
    pixels = np.asarray(image.open(folder / "heat_forecast" / "png" / "lead_0007.png"))
    check("forecast, Pillow: pixels are values", pixels.shape == (9, 11) and np.allclose(
        pixels * scale["scale"] + scale["offset"], values[0, 6], atol=scale["scale"]))
    with netcdf.Dataset(folder / "colour_forecast" / "forecast.h5") as file:
        frames = file["frames"]
        check("forecast of recordings, netCDF4: dimensions, no dates",
              frames.dimensions == ("recording", "lead", "y", "x", "channel") and frames.shape == (4, 5, 15, 21, 3) and
              "time" not in file.variables and file["lead"].units == "steps")
        colours = np.asarray(frames[:])
    picture = np.asarray(image.open(folder / "colour_forecast" / "png" / "recording_0002" / "lead_0005.png").convert("RGB"))
    check("forecast of recordings, Pillow: bytes of the source, red first",
          np.array_equal(picture, np.clip(np.rint(colours[2, 4]), 0, 255)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "release" / "bin" / "nowcell",
                        help="the program (%(default)s)")
    parser.add_argument("--venv", type=Path, default=CACHE / "read_back", help="virtual environment (%(default)s)")
    arguments = parser.parse_args()
    enter_environment(arguments.venv)

    import h5py
    import netCDF4
    import numpy as np
    from PIL import Image

    check = Checks()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = make_sources(folder, np, h5py, Image)
        program = arguments.program.resolve()
        for words in (["repack", "rain.h5", "--window", "10", "-o", "rain_out.h5"],
                      ["convert", "heat.nc", "-o", "heat_out.h5"], ["convert", "heat.nc", "-o", "heat.npy"],
                      ["convert", "colour", "-o", "colour_out.h5"], ["convert", "colour", "-o", "colour.npy"],
                      ["convert", "scenes", "-o", "scenes_out.h5"],
                      ["repack", "several.npy", "--layout", "nthw", "-o", "several_out.h5"],
                      ["convert", "several_out.h5", "-o", "several_again.npy"],
                      ["convert", "gap.h5", "-o", "gap_out.h5"]):
            nowcell(program, folder, "data", *words)
        make_forecasts(program, folder)
        check_rain(check, folder, sources, np, h5py, netCDF4)
        check_heat(check, folder, sources, np, h5py, netCDF4)
        check_others(check, folder, sources, np, h5py, netCDF4)
        check_forecasts(check, folder, np, h5py, netCDF4, Image)
    print(f"{check.passed} passed, {check.failed} failed (h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, "
          f"netCDF4 {netCDF4.__version__}, numpy {np.__version__})")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
