#!/usr/bin/env python3
"""The cases of tests/golden/scores_*.safetensors: scores and a baseline, computed in float64 by code that is not ours.

scikit-image computes SSIM and PSNR, pysteps what forecasters of rain score with and S-PROG, properscoring the CRPS.
make_golden.py --group scores runs this file in a virtual environment of its own; pysteps is compiled there,
which needs a C compiler. tests/golden/README.md tells how to read the files.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import os
import sys
import warnings
import zlib
from pathlib import Path

PINS = ["scikit-image==0.26.0", "pysteps==1.21.5", "properscoring==0.1", "numpy==2.4.6", "scipy==1.17.1",
        "safetensors==0.8.0"]
THRESHOLDS = [0.5, 1.0, 4.0]
CONTINUOUS = ["ME", "MAE", "MSE", "RMSE", "NMSE", "DRMSE", "RV", "beta1", "beta2", "corr_p", "corr_s"]
FSS_SCALES = [1, 2, 3, 4, 5, 8, 16, 21, 32, 64]

# ---- Fields. All are exact in float32, as what is scored may be read as such. ---------------------------------------


def made_by(*packages, **options):
    return {"made_by": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)} | options


def generator(name):
    """Random numbers that depend on the case's name only."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def smooth(random, shape, sigma):
    """Fields (..., H, W) of mean 0 and standard deviation 1 that vary over about sigma pixels."""
    noise = random.standard_normal(shape)
    fields = scipy.ndimage.gaussian_filter(noise, [0.0] * (len(shape) - 2) + [sigma, sigma], mode="wrap")
    return fields / fields.std()


def as_float32(values):
    return np.asarray(values, np.float32).astype(np.float64)


def images(random, shape):
    """Forecast and truth (B,T,C,H,W) about 0..1, both partly outside."""
    truth = 0.5 + 0.25 * smooth(random, shape, 2.0)
    forecast = 0.5 + 0.8 * (truth - 0.5) + 0.1 * smooth(random, shape, 1.0)
    return as_float32(forecast), as_float32(np.clip(truth, 0.0, 1.0))


def rain(fields):
    """Normal fields as rain in eighths: mostly dry, so that zeros and ties with a threshold are common."""
    return as_float32(np.round(8.0 * np.maximum(np.exp(fields) - 1.2, 0.0)) / 8.0)


def rain_pair(random, shape):
    truth = smooth(random, shape, 2.0)
    return rain(0.8 * truth + 0.6 * smooth(random, shape, 2.0)), rain(truth)


# ---- scikit-image ---------------------------------------------------------------------------------------------------


def per_frame(score, forecast, truth):
    """(B,T) of score(forecast (H,W,C), truth (H,W,C))."""
    pairs = zip(*(np.moveaxis(x, 2, -1).reshape(-1, *x.shape[3:], x.shape[2]) for x in (forecast, truth)))
    return np.array([score(*pair) for pair in pairs]).reshape(truth.shape[:2])


def image_case(name, shape):
    forecast, truth = images(generator(name), shape)
    clipped = np.clip(forecast, 0.0, 1.0)  # OpenSTL clips before SSIM and PSNR

    def ssim(**options):
        return lambda a, b: skimage.metrics.structural_similarity(a, b, channel_axis=-1, **options)

    def psnr(a, b):
        return skimage.metrics.peak_signal_noise_ratio(b, a, data_range=1.0)

    gaussian = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0)
    tensors = {"forecast": forecast, "truth": truth,
               "ssim/gaussian": per_frame(ssim(**gaussian), forecast, truth),
               "ssim/gaussian_clipped": per_frame(ssim(**gaussian), clipped, truth),
               "ssim/uniform7_range2_clipped": per_frame(ssim(data_range=2.0), clipped, truth),
               "ssim/uniform7_range1_clipped": per_frame(ssim(data_range=1.0), clipped, truth),
               "psnr": per_frame(psnr, forecast, truth), "psnr/clipped": per_frame(psnr, clipped, truth)}
    return tensors, made_by("scikit-image")


# ---- pysteps, fields ------------------------------------------------------------------------------------------------


def per_lead(score, forecast, truth):
    """(T+1) of score(all forecasts, all truths): of all lead times, then of each."""
    pairs = [(forecast, truth)] + [(forecast[:, t], truth[:, t]) for t in range(truth.shape[1])]
    return np.array([score(*pair) for pair in pairs], np.float64)


def contingency_case(name, shape):
    from pysteps.verification.detcatscores import det_cat_fct
    forecast, truth = rain_pair(generator(name), shape)
    forecast[:, -1] = 0.0  # one lead time without a forecast event
    thresholds = THRESHOLDS + [1000.0]  # the last is never reached
    tensors = {"forecast": forecast, "truth": truth, "thresholds": np.array(thresholds)}
    # pysteps counts values above the threshold as events; just below the threshold, that is "at least".
    for kind, shift in (("above", lambda x: x), ("at_least", lambda x: np.nextafter(x, -np.inf))):
        for score in ("POD", "FAR", "FA", "CSI", "BIAS", "ACC", "HSS", "HK", "GSS", "ETS", "SEDI", "MCC", "F1"):
            tensors[f"{kind}/{score}"] = np.stack([
                per_lead(lambda a, b: det_cat_fct(a, b, shift(threshold), score)[score], forecast, truth)
                for threshold in thresholds])
    return tensors, made_by("pysteps")


def continuous_case(name, shape, missing):
    from pysteps.verification.detcontscores import det_cont_fct
    random = generator(name)
    forecast, truth = rain_pair(random, shape)
    if missing:  # in both, since pysteps' mean of the forecasts is over all that there are
        forecast[random.uniform(size=shape) < missing] = np.nan
        truth[np.isnan(forecast)] = np.nan
    tensors = {"forecast": forecast, "truth": truth}
    for score in CONTINUOUS:
        tensors[score] = per_lead(lambda a, b: det_cont_fct(a.ravel(), b.ravel(), score)[score], forecast, truth)
    for conditioning in ("single", "double"):
        tensors[f"ME/{conditioning}"] = per_lead(
            lambda a, b: det_cont_fct(a.ravel(), b.ravel(), "ME", conditioning=conditioning)["ME"], forecast, truth)
    return tensors, made_by("pysteps")


def fss_case(name, shape):
    from pysteps.verification import spatialscores
    forecast, truth = rain_pair(generator(name), shape)

    def fss(threshold, scale):
        def score(a, b):
            sums = spatialscores.fss_init(threshold, scale)
            for one, other in zip(a.reshape(-1, *shape[3:]), b.reshape(-1, *shape[3:])):
                spatialscores.fss_accum(sums, one, other)
            return spatialscores.fss_compute(sums)
        return score

    tensors = {"forecast": forecast, "truth": truth, "thresholds": np.array(THRESHOLDS),
               "scales": np.array(FSS_SCALES, np.float64)}
    tensors["fss"] = np.stack([np.stack([per_lead(fss(threshold, scale), forecast, truth) for scale in FSS_SCALES])
                               for threshold in THRESHOLDS])
    return tensors, made_by("pysteps", fss="(threshold, scale, all and each lead time)")


def spectrum_case(name, height, width):
    random = generator(name)
    field = as_float32(smooth(random, (height, width), 1.5) + 0.3)
    psd, frequency = pysteps.utils.spectral.rapsd(field, fft_method=np.fft, return_freq=True)
    normalized = pysteps.utils.spectral.rapsd(field, fft_method=np.fft, normalize=True)
    return {"field": field, "psd": psd, "frequency": frequency, "psd/normalized": normalized}, made_by("pysteps")


# ---- pysteps and properscoring, ensembles ---------------------------------------------------------------------------


def rank_histogram(members, truth, least):
    """pysteps' histogram (M+1), where it draws among ties, as the mean of all it may draw."""
    draws = np.lcm.reduce(np.arange(1, len(members) + 2))
    total = np.zeros(len(members) + 1)
    drawn = np.random.uniform
    for draw in range(draws):
        np.random.uniform = lambda low, high, size: np.full(size, (draw + 0.5) / draws)
        total += pysteps.verification.ensscores.rankhist(members, truth, X_min=least, normalize=False)
    np.random.uniform = drawn
    return total / draws


def ensemble_case(name, members, shape, missing=0.0):
    """members (B,M,T,C,H,W), truth (B,T,C,H,W); scores of all lead times together, then of each: (T+1, ...)."""
    from pysteps.verification import ensscores, probscores
    random = generator(name)
    truth = smooth(random, shape, 2.0)
    of_members = np.stack([rain(0.7 * truth + 0.6 * smooth(random, shape, 2.0)) for _ in range(members)], 1)
    truth = rain(truth)
    truth[random.uniform(size=shape) < missing] = np.nan
    cases = [(of_members, truth)] + [(of_members[:, :, t], truth[:, t]) for t in range(shape[1])]
    cases = [(np.moveaxis(x, 1, 0).reshape(members, -1), y.reshape(-1)) for x, y in cases]
    crps = [properscoring.crps_ensemble(y, x, axis=0) for x, y in cases]
    tensors = {"members": of_members, "truth": truth, "thresholds": np.array(THRESHOLDS),
               "crps": np.array([np.nanmean(values) for values in crps]),
               "crps/pysteps": np.array([probscores.CRPS(*case) for case in cases])}
    events = {threshold: [(pysteps.postprocessing.ensemblestats.excprob(x[:, :, None], threshold)[:, 0], y)
                          for x, y in cases] for threshold in THRESHOLDS}

    def of_all(score):
        return np.stack([np.stack([score(threshold, p, y) for p, y in events[threshold]]) for threshold in THRESHOLDS])

    tensors["reliability"] = of_all(lambda threshold, p, y: probscores.reldiag(p, y, threshold))
    tensors["reliability/all"] = of_all(lambda threshold, p, y: probscores.reldiag(p, y, threshold, min_count=0))
    tensors["roc"] = of_all(lambda threshold, p, y: np.array(probscores.ROC_curve(p, y, threshold)))
    tensors["roc_area"] = of_all(lambda threshold, p, y: probscores.ROC_curve(p, y, threshold, compute_area=True)[2])
    # properscoring's event is "above", so the threshold goes just below.
    tensors["brier"] = np.stack([np.array([
        np.nanmean(properscoring.threshold_brier_score(y, x, np.nextafter(threshold, -np.inf), axis=0))
        for x, y in cases]) for threshold in THRESHOLDS])
    tensors["rank_histogram"] = np.stack([rank_histogram(*case, None) for case in cases])
    tensors["rank_histogram/threshold"] = np.stack([
        np.stack([rank_histogram(*case, threshold) for case in cases]) for threshold in THRESHOLDS])
    if not missing:
        frames = [(of_members[b, :, t, 0], truth[b, t, 0]) for b in range(shape[0]) for t in range(shape[1])]
        for score in ("RMSE", "MAE"):
            skill = [ensscores.ensemble_skill(x, y, score) for x, y in frames]
            spread = [ensscores.ensemble_spread(x, score) for x, _ in frames] if members > 1 else skill
            tensors[f"ensemble_skill/{score}"] = np.array(skill).reshape(shape[:2])
            tensors[f"ensemble_spread/{score}"] = np.array(spread).reshape(shape[:2])
    return tensors, made_by("pysteps", "properscoring")


# ---- S-PROG ---------------------------------------------------------------------------------------------------------


def sprog_case(name, velocity, levels, matching):
    """Three frames (3,H,W) of dBR, dry -15, moved by velocity (2: x, y; px per step), and pysteps' next three."""
    from pysteps.cascade.bandpass_filters import filter_gaussian
    random, height, width, leads, dry, threshold = generator(name), 20, 28, 3, -15.0, -10.0
    wide = smooth(random, (3, height + 20, width + 20), 3.0)
    wide[1:] = 0.98 * wide[:1] + 0.2 * wide[1:]
    vx, vy = velocity
    rows, columns = np.mgrid[10:10 + height, 10:10 + width].astype(float)
    frames = np.stack([scipy.ndimage.map_coordinates(field, [rows - vy * t, columns - vx * t], order=1)
                       for t, field in enumerate(wide)])
    frames = as_float32(np.where(10.0 * frames >= threshold, 10.0 * frames, dry))
    motion = np.broadcast_to(np.array(velocity, float)[:, None, None], (2, height, width)).copy()
    forecast = pysteps.nowcasts.sprog.forecast(frames, motion, leads, precip_thr=threshold, n_cascade_levels=levels,
                                               probmatching_method=matching)
    weights = filter_gaussian((height, width), levels)["weights_1d"]
    options = dict(velocity=list(velocity), levels=levels, matching=matching, dry=dry, threshold=threshold)
    return {"frames": frames, "forecast": forecast, "filter": weights}, made_by("pysteps", **options)


# ---- Files ----------------------------------------------------------------------------------------------------------

CASES = {
    "image_grey": lambda name: image_case(name, (2, 3, 1, 24, 19)),
    "image_colour": lambda name: image_case(name, (1, 2, 3, 13, 21)),
    "image_smallest": lambda name: image_case(name, (1, 2, 1, 11, 14)),
    "contingency": lambda name: contingency_case(name, (2, 3, 1, 17, 22)),
    "continuous": lambda name: continuous_case(name, (2, 3, 1, 17, 22), 0.0),
    "continuous_missing": lambda name: continuous_case(name, (2, 2, 2, 9, 14), 0.2),
    "fss": lambda name: fss_case(name, (2, 2, 1, 21, 34)),
    "fss_tall": lambda name: fss_case(name, (1, 2, 1, 31, 12)),
    "spectrum_even": lambda name: spectrum_case(name, 24, 24),
    "spectrum_wide": lambda name: spectrum_case(name, 20, 33),
    "spectrum_tall": lambda name: spectrum_case(name, 32, 21),
    "ensemble_5": lambda name: ensemble_case(name, 5, (2, 3, 1, 9, 11)),
    "ensemble_4_missing": lambda name: ensemble_case(name, 4, (2, 2, 2, 8, 13), 0.2),
    "ensemble_9": lambda name: ensemble_case(name, 9, (1, 2, 1, 15, 12)),
    "ensemble_1": lambda name: ensemble_case(name, 1, (2, 2, 1, 12, 9)),
    "sprog_still": lambda name: sprog_case(name, (0.0, 0.0), 4, None),
    "sprog_moving": lambda name: sprog_case(name, (1.5, -0.75), 5, None),
    "sprog_matched": lambda name: sprog_case(name, (2.0, 1.0), 5, "cdf"),
    "sprog_mean": lambda name: sprog_case(name, (-1.0, 0.25), 6, "mean"),
}


def write(folder, name, tensors, options):
    tensors = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    for key, value in tensors.items():
        assert value.dtype == np.float64, (name, key)
    path = folder / f"scores_{name}.safetensors"
    safetensors.numpy.save_file(tensors, path, {"case": json.dumps(options, sort_keys=True)})
    print(f"{path.stat().st_size / 1000:6.1f} kB  {path.name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the files")
    arguments = parser.parse_args()
    # The user's settings of pysteps are left out of it, and so is what it prints.
    os.environ["PYSTEPSRC"] = str(Path(sys.prefix) / "none")
    warnings.simplefilter("ignore")  # of means of nothing
    global np, pysteps, properscoring, safetensors, scipy, skimage
    with contextlib.redirect_stdout(io.StringIO()):
        import numpy as np
        import properscoring
        import pysteps
        import pysteps.nowcasts.sprog
        import pysteps.verification.probscores
        import safetensors.numpy
        import scipy.ndimage
        import skimage.metrics

    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, make in CASES.items():
        with contextlib.redirect_stdout(io.StringIO()):
            tensors, options = make(name)
        write(arguments.out, name, tensors, options)


if __name__ == "__main__":
    main()
