"""Thresholds, accuracies and measures beside brute force on whole canvases."""

import math

import numpy as np
import pytest
import torch

from interference.canvas import measures
from interference.canvas.compose import forced
from interference.canvas.thresholds import Balanced, accuracy, balanced, equal_error, evidence
from tests.support.canvases import composer, small, tight_frame

COUNT = 30


@pytest.mark.parametrize("hidden", [0, 7])
def test_balanced_logits_are_those_of_whole_canvases(hidden):
    network, make = small(hidden=hidden), composer()
    found = balanced(network, evidence(network, make, 6, COUNT))
    labels = make.labels(6, 0, COUNT)
    for i in range(6):
        for value, logits in ((True, found.on), (False, found.off)):
            whole = network(make.given(6, 0, forced(labels, i, value)).images)[:, i]
            torch.testing.assert_close(logits[:, i], whole, rtol=1e-4, atol=1e-5)


def test_the_threshold_has_the_most_equal_error_rates_of_all():
    rng = np.random.default_rng(0)
    on, off = rng.normal(1, 1, (41, 5)), rng.normal(-0.5, 2, (41, 5))
    logits = Balanced(torch.tensor(on), torch.tensor(off))
    found = equal_error(logits).numpy()

    def gap(i, threshold):
        return abs((on[:, i] <= threshold).mean() - (off[:, i] > threshold).mean())

    rights = accuracy(logits, torch.tensor(found)).numpy()
    for i, threshold in enumerate(found):
        every = np.concatenate([on[:, i], off[:, i]])
        assert gap(i, threshold) <= min(gap(i, cut) for cut in every) + 1e-9
        right = ((on[:, i] > threshold).mean() + (off[:, i] <= threshold).mean()) / 2
        assert rights[i] == pytest.approx(right)


@pytest.mark.parametrize("hidden", [0, 7])
def test_interference_to_signal_is_that_of_whole_canvases(hidden):
    network, make = small(hidden=hidden), composer()
    found = measures.interference_to_signal(network, evidence(network, make, 6, COUNT))
    labels = make.labels(6, 0, COUNT)
    backgrounds = make.given(6, 0, labels).images
    for i in range(6):
        variances, means = [], []
        for value in (True, False):
            own = make.given(6, 0, forced(labels, i, value)).images[:, i]
            logits = []
            for cell in own:
                images = backgrounds.clone()
                images[:, i] = cell
                logits.append(network(images)[:, i].double().numpy())
            variances.append(np.var(logits, axis=1, ddof=1).mean())
            means.append(np.mean(logits))
        known = np.mean(variances) / ((means[0] - means[1]) / 2) ** 2
        assert float(found[i]) == pytest.approx(known, rel=1e-3)


@pytest.mark.parametrize(("n", "m"), [(12, 4), (9, 6)])
def test_measures_of_a_tight_frame(n, m):
    V = 3 * tight_frame(n, m).double()
    np.testing.assert_allclose(measures.gram(V).diagonal(), 9, rtol=1e-6)
    np.testing.assert_allclose(measures.squared_cosines(V), n / m - 1, rtol=1e-5)
    np.testing.assert_allclose(measures.dimensionality(V), m / n, rtol=1e-5)


def test_measures_of_a_pair_at_an_angle():
    V = torch.tensor([[2.0, 0, 0], [3 * math.cos(1.1), 3 * math.sin(1.1), 0], [0, 0, 1]]).double()
    square = math.cos(1.1) ** 2
    np.testing.assert_allclose(measures.squared_cosines(V), [square, square, 0], atol=1e-12)
    known = [4 / (4 + 9 * square), 9 / (9 + 4 * square), 1]
    np.testing.assert_allclose(measures.dimensionality(V), known)


def test_the_direction_of_a_feature_is_its_step_at_the_bottleneck():
    network, make = small(), composer()
    found = measures.directions(evidence(network, make, 6, COUNT))
    labels = make.labels(6, 0, COUNT)
    for i in range(6):
        on, off = (
            network.contributions(make.given(6, 0, forced(labels, i, value)).images).sum(1)
            for value in (True, False)
        )
        step = (on - off).double().mean(0)
        np.testing.assert_allclose(found[i], step, rtol=1e-3, atol=1e-5)


def test_a_feature_without_a_direction_has_no_dimension():
    V = torch.tensor([[0.0, 0], [1, 0]]).double()
    assert measures.dimensionality(V).tolist() == [0, 1]
    assert measures.squared_cosines(V).tolist() == [0, 0]
