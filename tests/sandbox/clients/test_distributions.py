"""The cheap draws have the distributions they claim, by fixed seeds."""

import math
import random

import pytest

from emqx_tui.sandbox.clients.distributions import NORMAL_ABOVE, binomial, poisson, split_by_weight, split_evenly


def _chi_squared(observed: dict[int, int], expected: dict[int, float]) -> tuple[float, int]:
    """Statistic and degrees of freedom, cells with few expected ones pooled."""
    statistic, cells, pooled_o, pooled_e = 0.0, 0, 0, 0.0
    for value, e in expected.items():
        pooled_o += observed.get(value, 0)
        pooled_e += e
        if pooled_e >= 8:
            statistic += (pooled_o - pooled_e) ** 2 / pooled_e
            cells, pooled_o, pooled_e = cells + 1, 0, 0.0
    return statistic, cells - 1


def _fits(samples: list[int], probability: dict[int, float]) -> bool:
    observed: dict[int, int] = {}
    for value in samples:
        observed[value] = observed.get(value, 0) + 1
    statistic, freedom = _chi_squared(observed, {v: p * len(samples) for v, p in probability.items()})
    return statistic < freedom + 5 * math.sqrt(2 * freedom) and set(observed) <= set(probability)


@pytest.mark.parametrize(("trials", "p"), [(1, 0.3), (7, 0.5), (40, 1 / 3), (200, 0.02), (200, 0.9), (1000, 1 / 12)])
def test_binomial_has_the_exact_distribution(trials, p):
    rng = random.Random(7)
    samples = [binomial(rng, trials, p) for _ in range(20_000)]
    assert _fits(samples, {k: math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(trials + 1)})


@pytest.mark.parametrize(
    ("trials", "p", "outcome"), [(0, 0.5, 0), (9, 0.0, 0), (9, 1.0, 9), (9, -0.1, 0), (-3, 0.5, 0)]
)
def test_binomial_at_its_edges(trials, p, outcome):
    assert binomial(random.Random(1), trials, p) == outcome


@pytest.mark.parametrize("mean", [0.4, 5.0, NORMAL_ABOVE + 10])
def test_poisson_has_its_mean_and_variance(mean):
    rng = random.Random(3)
    samples = [poisson(rng, mean) for _ in range(20_000)]
    average = sum(samples) / len(samples)
    variance = sum((s - average) ** 2 for s in samples) / len(samples)
    assert average == pytest.approx(mean, abs=5 * math.sqrt(mean / len(samples)))
    assert variance == pytest.approx(mean, rel=0.05)


def test_poisson_of_nothing_is_nothing():
    assert poisson(random.Random(1), 0.0) == 0


@pytest.mark.parametrize("count", [4, 200, 33_000])
def test_even_split_gives_every_place_its_share(count):
    rng, places, rounds = random.Random(11), 5, 400
    sums = [0] * places
    for _ in range(rounds):
        split = split_evenly(rng, count, places)
        assert sum(split) == count
        sums = [a + b for a, b in zip(sums, split, strict=True)]
    share, deviation = rounds * count / places, math.sqrt(rounds * count * (1 / places) * (1 - 1 / places))
    assert all(abs(s - share) < 4.5 * deviation for s in sums)
    assert any(s != share for s in sums), "each item is thrown on its own, so an exact split would be a wonder"


def test_weighted_split_follows_the_weights():
    rng, sums = random.Random(5), [0, 0, 0]
    for _ in range(2000):
        sums = [a + b for a, b in zip(sums, split_by_weight(rng, 10, [1000, 3000, 0]), strict=True)]
    assert sums[2] == 0
    assert sums[0] == pytest.approx(5000, abs=5 * math.sqrt(20_000 * 0.25 * 0.75))


@pytest.mark.parametrize("count", [0, 1, 9, 10, 99])
def test_weighted_split_never_takes_more_than_there_is(count):
    rng, boxes = random.Random(2), [3, 0, 1, 6]
    for _ in range(200):
        takes = split_by_weight(rng, count, boxes)
        assert sum(takes) == min(count, sum(boxes))
        assert all(0 <= take <= box for take, box in zip(takes, boxes, strict=True))
