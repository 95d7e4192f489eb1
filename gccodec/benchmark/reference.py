"""Curves of other codecs, measured once: <set>-<codec>.tsv with image, bytes, bpp and metrics."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

Curves = dict[str, list[dict[str, float]]]
"""Of each image: rows of bpp and metrics, by ascending rate."""

METRICS = ("lpips_alex", "ms_ssim", "psnr_db")


def read_curves(path: Path) -> Curves:
    """Rows of each image, by ascending rate."""
    curves: Curves = defaultdict(list)
    with open(path, newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            curves[row["image"]].append({k: float(row[k]) for k in ("bpp", *METRICS)})
    return {image: sorted(rows, key=lambda r: r["bpp"]) for image, rows in curves.items()}


def at_rate(rows: list[dict[str, float]], bpp: float, metric: str) -> float | None:
    """Linear over log rate; up to a factor of two beyond the measured range the last two points are
    extended."""
    if len(rows) < 2 or not rows[0]["bpp"] / 2 <= bpp <= rows[-1]["bpp"] * 2:
        return None
    i = next((i for i in range(1, len(rows)) if bpp <= rows[i]["bpp"]), len(rows) - 1)
    low, high = rows[i - 1], rows[i]
    share = math.log(bpp / low["bpp"]) / math.log(high["bpp"] / low["bpp"])
    return low[metric] + share * (high[metric] - low[metric])


def mean_at_rate(curves: Curves, bpp: float, metric: str) -> float | None:
    """Mean over the images; None when any of them was not measured around this rate."""
    values = [at_rate(rows, bpp, metric) for rows in curves.values()]
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def rate_for(curves: Curves, target: float, rates: list[float]) -> float | None:
    """The smallest of `rates` at which the mean LPIPS-Alex is at most `target`."""
    for bpp in rates:
        value = mean_at_rate(curves, bpp, "lpips_alex")
        if value is not None and value <= target:
            return bpp
    return None
