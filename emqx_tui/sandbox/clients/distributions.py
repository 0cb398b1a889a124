"""Random distributions whose cost hardly depends on how many clients they are sampled for.

Owns the distributions the client cohorts need: binomial, even and weighted splits, Poisson. All of them are exact
(Poisson is a rounded normal above `NORMAL_ABOVE`) and use only the seeded generator they are handed, so a seed is a
history. A binomial draw compares n uniform numbers with p bit by bit, all of them in one go: the set bits of
`getrandbits(n)` are the numbers whose next bit is 1, and only those still equal to p's bits need another round.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

NORMAL_ABOVE = 50.0


def binomial(rng: random.Random, trials: int, p: float) -> int:
    """How many of `trials` independent events of probability `p` happen; exact to the last bit of `p`."""
    if trials <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return trials
    below, undecided = 0, trials
    while undecided and p > 0.0:
        p *= 2.0
        ones = rng.getrandbits(undecided).bit_count()
        if p >= 1.0:
            p -= 1.0
            below += undecided - ones
            undecided = ones
        else:
            undecided -= ones
    return below


def split_evenly(rng: random.Random, count: int, places: int) -> list[int]:
    """Distribute `count` items over `places` places, independently and uniformly."""
    if places == 1:
        return [count]
    counts = [0] * places
    if count <= 2 * places:
        for _ in range(count):
            counts[int(rng.random() * places)] += 1
        return counts
    for i in range(places - 1):
        counts[i] = taken = binomial(rng, count, 1.0 / (places - i))
        count -= taken
    counts[-1] = count
    return counts


def split_by_weight(rng: random.Random, count: int, weights: Sequence[int]) -> list[int]:
    """Take `count` items out of boxes that hold `weights` items; never more from a box than it holds.

    Sequential binomials, bounded by what each box holds and by what the boxes after it can still give: the sums are
    exact, and the spread is a little wider than drawing without replacement when most of the items are taken.
    """
    left = sum(weights)
    count = min(count, left)
    counts: list[int] = []
    for weight in weights:
        taken = binomial(rng, count, weight / left) if count else 0
        taken = min(weight, max(taken, count - (left - weight)))
        counts.append(taken)
        count -= taken
        left -= weight
    return counts


def poisson(rng: random.Random, mean: float) -> int:
    """How many events happen in an interval in which `mean` are expected."""
    if mean <= 0.0:
        return 0
    if mean > NORMAL_ABOVE:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    events, product, floor = 0, rng.random(), math.exp(-mean)
    while product > floor:
        events += 1
        product *= rng.random()
    return events
