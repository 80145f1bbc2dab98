"""Means over seeds, as figures draw them: points with Student's intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from interference.analysis.statistics import student


def means(axis: Axes, samples: Mapping[float, np.ndarray], confidence: float, **look: Any) -> None:
    """Draw the mean at each place with Student's interval; nothing where there is no place.

    samples: place → values (n,). look: as Axes.errorbar has it.
    """
    if not samples:
        return
    middles = np.array([values.mean() for values in samples.values()])
    ends = np.array([student(values, confidence) for values in samples.values()])
    bars = [middles - ends[:, 0], ends[:, 1] - middles]
    axis.errorbar([*samples], middles, bars, **look)
