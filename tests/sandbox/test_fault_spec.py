"""What `--fault` takes, and what it says of everything else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.sandbox.fault_spec import KINDS, Fault, InvalidFault, parse, spelled
from emqx_tui.sandbox.world.faults import BLOWS


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("green-pod-restart@4m", [Fault("green-pod-restart", 240.0)]),
        ("api-down@6m+90s", [Fault("api-down", 360.0, 90.0)]),
        ("operator-down@0s", [Fault("operator-down", 0.0, 90.0)]),
        ("api-down@1h2m3.5s+1m30s", [Fault("api-down", 3723.5, 90.0)]),
        (
            "api-down@6m+90s, green-pod-restart@4m",
            [Fault("green-pod-restart", 240.0), Fault("api-down", 360.0, 90.0)],
        ),
    ],
    ids=["at an instant", "for a while", "for its usual while", "in parts", "in order of time"],
)
def test_what_is_read(text: str, faults: list[Fault]) -> None:
    assert list(parse(text)) == faults


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected NAME@TIME"),
        ("api-down", "expected NAME@TIME"),
        ("@4m", "expected NAME@TIME"),
        ("api-down@4m,", "expected NAME@TIME"),
        ("api-down@4m@5m", "expected NAME@TIME"),
        ("api-down@4m+5m+6m", "expected NAME@TIME"),
        ("meteor@4m", "no fault 'meteor'"),
        ("api-down@", "expected a time"),
        ("api-down@4", "expected a time"),
        ("api-down@-4m", "expected a time"),
        ("api-down@4m+", "expected a time"),
        ("api-down@25h", "longer than a day"),
        ("api-down@4m+0s", "longer than 0 s"),
        ("green-pod-restart@4m+5s", "no +DURATION"),
    ],
)
def test_anything_else_is_one_line(text: str, words: str) -> None:
    with pytest.raises(InvalidFault) as refused:
        parse(text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(InvalidFault):
        assert parse(text)


_instants = st.integers(0, 86_400).map(float)
_spans = st.integers(1, 86_400).map(float)
_faults = st.sampled_from(sorted(KINDS)).flatmap(
    lambda name: st.builds(Fault, st.just(name), _instants, _spans if KINDS[name].lasts_s else st.none())
)


@given(st.lists(_faults, min_size=1, max_size=5))
def test_what_is_spelled_is_read_again(faults: list[Fault]) -> None:
    assert list(parse(spelled(tuple(faults)))) == sorted(faults, key=lambda fault: fault.at_s)


def test_every_fault_can_strike_and_those_that_last_can_be_mended() -> None:
    assert set(BLOWS) == set(KINDS)
    assert {name for name, blow in BLOWS.items() if blow.mend} == {name for name, kind in KINDS.items() if kind.lasts_s}
