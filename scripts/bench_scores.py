#!/usr/bin/env python3
"""Times `nowcell evaluate` beside the usual Python loop, on the same arrays of forecasts and truth.

The loop scores frame by frame: SSIM and PSNR by scikit-image, the contingency table at 3 thresholds and the FSS at 3
thresholds and 3 scales by pysteps, of each lead time. In each round it scores some of the sequences, and its time is
scaled to all; nowcell scores all of them. The two take turns, one process and one thread each. ratio: time of the
loop, scaled, over time of nowcell, median of the rounds' own; once by the clock, once in processor time, which a busy
machine disturbs less. nowcell's time is that of the whole program, the loop's is without Python's start.

Then both score the same few sequences, and the largest difference of any score of any lead time is printed; one of
more than 1e-4 fails the run (exit status 1). Memory is the largest resident size of each process, and of nowcell that
above scoring one sequence.

--setup makes a virtual environment with scikit-image and pysteps, the one of make_golden.py --group scores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import golden_scores
import make_golden

ROOT, CACHE = make_golden.ROOT, make_golden.CACHE
PROGRAM = ROOT / "build" / "release" / "bin" / "nowcell"
LEADS, SIDE = 10, 64
THRESHOLDS, SCALES = [0.25, 0.5, 0.75], [1, 4, 16]
CONTINGENCY = {"pod": "POD", "far": "FAR", "csi": "CSI", "ets": "GSS", "hss": "HSS", "frequency-bias": "BIAS"}
SAME_SCORES = ["ssim", "psnr", *CONTINGENCY, "fss"]
TOLERANCE = 1e-4
POOL = 64  # smooth fields that sequences are made of
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def narrate(text):
    print(text, file=sys.stderr, flush=True)


def write_arrays(folder, sequences):
    """forecast.npy and truth.npy, (sequences, LEADS, SIDE, SIDE) float32 on 0..1: fields that move."""
    import numpy as np
    random = np.random.default_rng(0)
    wave = np.fft.rfft2(random.standard_normal((POOL, SIDE, SIDE)))
    rows, columns = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    fields = np.fft.irfft2(wave * np.exp(-200.0 * (rows ** 2 + columns ** 2)), s=(SIDE, SIDE))
    fields = (0.4 + 0.25 * fields / fields.std()).astype(np.float32)
    shape = (sequences, LEADS, SIDE, SIDE)
    truth, forecast = (np.lib.format.open_memmap(folder / name, "w+", np.float32, shape)
                       for name in ("truth.npy", "forecast.npy"))
    for i in range(sequences):
        one, other = random.integers(POOL, size=2)
        step = random.integers(-3, 4, size=2)
        for t in range(LEADS):
            moved = np.roll(fields[one], step * (t + 1), (0, 1))
            truth[i, t] = np.clip(moved, 0.0, 1.0)
            share = np.float32(0.05 * (t + 1))
            forecast[i, t] = np.clip((1 - share) * moved + share * fields[other], 0.0, 1.0)


# ---- The Python loop, in a process of its own -----------------------------------------------------------------------


def loop(forecast, truth):
    """Scores (name, threshold, scale): a value of each lead time."""
    import numpy as np
    from pysteps.verification import detcatscores, spatialscores
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity
    # pysteps counts what is above the threshold; just below it, that is what is at least the threshold.
    tables = [[detcatscores.det_cat_fct_init(np.nextafter(threshold, 0.0)) for threshold in THRESHOLDS]
              for _ in range(LEADS)]
    fractions = [{(threshold, scale): spatialscores.fss_init(threshold, scale) for threshold in THRESHOLDS
                  for scale in SCALES} for _ in range(LEADS)]
    ssim, psnr = np.zeros(LEADS), np.zeros(LEADS)
    for of_forecast, of_truth in zip(forecast, truth):
        for t, (a, b) in enumerate(zip(of_forecast, of_truth)):
            ssim[t] += structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                             data_range=1.0)
            psnr[t] += peak_signal_noise_ratio(b, a, data_range=1.0)
            for table in tables[t]:
                detcatscores.det_cat_fct_accum(table, a, b)
            for sums in fractions[t].values():
                spatialscores.fss_accum(sums, a, b)
    scores = {("ssim", None, None): list(ssim / len(truth)), ("psnr", None, None): list(psnr / len(truth))}
    for k, threshold in enumerate(THRESHOLDS):
        results = [detcatscores.det_cat_fct_compute(tables[t][k]) for t in range(LEADS)]
        scores |= {(name, threshold, None): [float(result[theirs]) for result in results]
                   for name, theirs in CONTINGENCY.items()}
        scores |= {("fss", threshold, scale): [float(spatialscores.fss_compute(fractions[t][threshold, scale]))
                                               for t in range(LEADS)] for scale in SCALES}
    return scores


def worker(folder, first, count):
    """Prints {"time_s", "cpu_s", "rss_mb", "scores"} of the sequences first to first + count."""
    import resource
    os.environ["PYSTEPSRC"] = str(Path(sys.prefix) / "none")  # none of the user's settings
    stdout, sys.stdout = sys.stdout, sys.stderr  # pysteps talks
    import numpy as np
    import pysteps  # noqa: F401  before the clock starts
    import skimage.metrics  # noqa: F401
    forecast, truth = (np.load(folder / name, mmap_mode="r")[first:first + count]
                       for name in ("forecast.npy", "truth.npy"))
    loop(forecast[:1], truth[:1])
    start, cpu_start = time.perf_counter(), time.process_time()
    scores = loop(forecast, truth)
    elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    rows = [[*key, values] for key, values in scores.items()]
    json.dump({"time_s": elapsed, "cpu_s": cpu, "rss_mb": rss, "scores": rows}, stdout)


def run_loop(arguments, folder, first, count):
    command = [sys.executable, __file__, "--worker", str(folder), str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE_THREAD)
    if done.returncode != 0:
        sys.exit(f"bench_scores.py: the Python loop failed:\n{done.stderr}")
    return json.loads(done.stdout)


# ---- nowcell --------------------------------------------------------------------------------------------------------


def run_nowcell(arguments, folder, metrics=True):
    """{"time_s", "cpu_s", "rss_mb", "rows"} of folder/forecast.npy against folder/truth.npy."""
    report = folder / "scores.json"
    command = [arguments.program, "evaluate", "--forecast", folder / "forecast.npy", "--truth", folder / "truth.npy",
               "--forecast-layout", "nthw", "--truth-layout", "nthw", "--thresholds", ",".join(map(str, THRESHOLDS)),
               "--set", f"eval.fss_scales={SCALES}", "--set", "eval.range=[0, 1]", "--threads", "1", "--json", report,
               "--force", *(["--metrics", ",".join(SAME_SCORES)] if metrics else [])]
    with open(folder / "log.txt", "w+") as log:
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, env=os.environ | ONE_THREAD)
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            sys.exit(f"bench_scores.py: {' '.join(map(str, command))}\nended with {process.returncode}:\n{log.read()}")
    return {"time_s": elapsed, "cpu_s": usage.ru_utime + usage.ru_stime, "rss_mb": usage.ru_maxrss / 1000,
            "rows": json.loads(report.read_text())["rows"]}


def part_of(folder, name, count):
    """A folder with the first `count` sequences alone."""
    import numpy as np
    part = folder / name
    part.mkdir()
    for file in ("forecast.npy", "truth.npy"):
        np.save(part / file, np.load(folder / file, mmap_mode="r")[:count])
    return part


def differences(rows, scores):
    """The largest difference of each metric from the loop's scores, and how many values were compared."""
    values = {(row["metric"], row["threshold"], row["scale"], row["lead"]): row["value"] for row in rows}
    largest, compared = {}, 0
    for metric, threshold, scale, of_leads in scores:
        for t, expected in enumerate(of_leads):
            key = metric, threshold, scale, t + 1
            if key not in values:
                sys.exit(f"bench_scores.py: nowcell gave no {metric} of (threshold, scale, lead) {key[1:]}")
            got = float("nan") if values[key] is None else values[key]
            difference = 0.0 if got != got and expected != expected else abs(got - expected)
            largest[metric] = max(largest.get(metric, 0.0), difference if difference == difference else float("inf"))
            compared += 1
    return largest, compared


# ---- Environment and command line -----------------------------------------------------------------------------------


def measure(arguments, folder):
    narrate(f"writing {arguments.sequences} sequences of {LEADS} frames, forecast and truth")
    # In a process of its own: one that is started later would count this one's memory as its own until then.
    subprocess.run([sys.executable, __file__, "--write", str(folder), str(arguments.sequences)], check=True)
    of_python = min(arguments.python_sequences, arguments.sequences)
    one = run_nowcell(arguments, part_of(folder, "one", 1))
    rounds = []
    for turn in range(arguments.rounds):
        first = turn * of_python % max(arguments.sequences - of_python, 1)
        narrate(f"round {turn + 1} of {arguments.rounds}")
        rounds.append((run_loop(arguments, folder, first, of_python), run_nowcell(arguments, folder),
                       run_nowcell(arguments, folder, metrics=False)))
    same = run_nowcell(arguments, part_of(folder, "same", of_python))
    theirs = run_loop(arguments, folder, 0, of_python)
    largest, compared = differences(same["rows"], theirs["scores"])
    peak = max(ours["rss_mb"] for _, ours, _ in rounds)

    def ratio(key, which):
        scale = arguments.sequences / of_python
        return statistics.median(turn[0][key] * scale / turn[which][key] for turn in rounds)

    return {"schema": "nowcell.bench_scores/1", "sequences": arguments.sequences, "leads": LEADS, "side": SIDE,
            "python_sequences": of_python, "rounds": arguments.rounds,
            "ratio": ratio("time_s", 1), "ratio_cpu": ratio("cpu_s", 1),
            "ratio_all_standard_scores": ratio("time_s", 2), "ratio_all_standard_scores_cpu": ratio("cpu_s", 2),
            "seconds": [{f"{name}_{key}": turn[which][key] for which, name in enumerate(("python", "same", "every"))
                         for key in ("time_s", "cpu_s")} for turn in rounds],
            "python_rss_mb": max(theirs["rss_mb"] for theirs, _, _ in rounds), "nowcell_rss_mb": peak,
            "nowcell_rss_above_one_sequence_mb": peak - one["rss_mb"], "values_compared": compared,
            "largest_difference": largest}


def show(report, file):
    side, few = report["side"], report["python_sequences"]
    print(f"{report['sequences']} sequences of {report['leads']} frames {side}x{side}; the loop scored {few} in each "
          f"of {report['rounds']} rounds, its time is scaled", file=file)
    for text, key, format in (("ratio (Python / nowcell), the same scores", "ratio", "8.1f"),
                              ("    in processor time", "ratio_cpu", "8.1f"),
                              ("ratio, nowcell with every standard score", "ratio_all_standard_scores", "8.1f"),
                              ("    in processor time", "ratio_all_standard_scores_cpu", "8.1f"),
                              (f"peak memory of Python, {few} sequences, MB", "python_rss_mb", "8.0f"),
                              ("peak memory of nowcell, all sequences, MB", "nowcell_rss_mb", "8.0f"),
                              ("    above scoring one sequence, MB", "nowcell_rss_above_one_sequence_mb", "8.0f")):
        print(f"{text:45}{report[key]:{format}}", file=file)
    print(f"largest difference of {report['values_compared']} values", file=file)
    for metric, difference in report["largest_difference"].items():
        print(f"    {metric:41}{difference:8.1e}", file=file)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=10000, metavar="N",
                        help="to score, 0.33 MB each in the temporary folder (%(default)s)")
    parser.add_argument("--python-sequences", type=int, default=100, metavar="N",
                        help="that the loop scores in a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="report; - is stdout, the table goes to stderr then")
    parser.add_argument("--program", type=Path, default=PROGRAM, metavar="PATH", help="nowcell (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where the temporary folder goes (the system's)")
    parser.add_argument("--setup", action="store_true", help="make the environment, or complete it, before")
    parser.add_argument("--venv", type=Path, default=CACHE / "golden_scores", help="virtual environment (%(default)s)")
    arguments = parser.parse_args()
    if min(arguments.sequences, arguments.python_sequences, arguments.rounds) < 1:
        parser.error("--sequences, --python-sequences and --rounds are 1 at least")
    if not arguments.program.is_file():
        parser.error(f"no {arguments.program}: run cmake --preset release && cmake --build --preset release, or name "
                     "the program with --program")
    arguments.program = arguments.program.resolve()
    return arguments


def enter_environment(folder, setup):
    """Continues in the virtual environment `folder`; with setup it is made. Without one: in the Python at hand."""
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    if setup:
        make_golden.environment(folder, golden_scores.PINS)
    python = folder / "bin" / "python"
    if not python.exists():
        narrate(f"no environment in {folder}, so what this Python has is timed; --setup makes one")
        return
    os.execv(python, [python, *sys.argv])


def main():
    if sys.argv[1:2] == ["--worker"]:
        return worker(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    if sys.argv[1:2] == ["--write"]:
        return write_arrays(Path(sys.argv[2]), int(sys.argv[3]))
    arguments = parse_arguments()
    enter_environment(arguments.venv, arguments.setup)
    with tempfile.TemporaryDirectory(prefix="bench_scores_", dir=arguments.folder) as folder:
        report = measure(arguments, Path(folder))
    show(report, sys.stderr if arguments.json == "-" else sys.stdout)
    if arguments.json:
        text = json.dumps(report, indent=1) + "\n"
        if arguments.json == "-":
            sys.stdout.write(text)
        else:
            Path(arguments.json).write_text(text)
    return 0 if all(difference <= TOLERANCE for difference in report["largest_difference"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
