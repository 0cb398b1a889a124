"""A replay: every view comes back as it was, from any side; secrets do not; damage costs one chunk at most."""

from __future__ import annotations

import json
import zlib
from base64 import b85encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from emqx_tui.model.reading import Reading
from emqx_tui.model.series import PLOTTED, Sample, Series
from emqx_tui.model.wire import Malformed
from emqx_tui.rollout.intents import Hold
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.telling.flight_records import Recording
from emqx_tui.session.replay import Replay
from emqx_tui.session.views.view_recording import (
    CHUNK_S,
    Decoder,
    Encoder,
    Unpacker,
    ViewLine,
    ViewWriter,
    difference,
    patched,
)
from tests.support import recorded, releases
from tests.support.recorded import Recorded


@pytest.fixture
def of_release() -> Recorded:
    return recorded.release()


@pytest.fixture
def replay(of_release: Recorded) -> Replay:
    return of_release.replay()


SCENES = [
    releases.idle,
    releases.draining,
    releases.at_gate,
    releases.auto_held,
    releases.before_cut_over,
    releases.done,
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_view_comes_back_as_it_was(scene) -> None:
    view = scene()
    view = replace(view, samples=view.samples[-PLOTTED:])
    assert recorded.of(view).replay().view() == replace(view, sequence=0)


@pytest.mark.parametrize("before", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("now", SCENES, ids=lambda scene: scene.__name__)
def test_a_difference_makes_one_view_into_another(before, now) -> None:
    encoder, decoder = Encoder(), Decoder()
    one, other = encoder.encode(before()), encoder.encode(now())
    decoder.tables = encoder.tables
    told = json.loads(json.dumps(difference(one, other)))
    assert decoder.decode(patched(json.loads(json.dumps(one)), told)) == now()


def test_an_object_whose_keys_change_their_order_comes_back_as_it_was() -> None:
    stands = [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"b": 2, "a": 7}, {"c": 3, "b": 2}, {"b": 5, "c": 3}]
    shown = stands[0]
    for before, now in pairwise(stands):
        shown = patched(shown, json.loads(json.dumps(difference(before, now))))
        assert list(shown.items()) == list(now.items())


def test_every_view_of_a_release_is_shown_again(of_release: Recorded, replay: Replay) -> None:
    assert len(of_release.views) > 250
    replay.seek(replay.begin)
    for number, view in enumerate(of_release.views):
        assert replay.view() == view, number
        replay.step(1)
    assert replay.at == replay.end


def test_any_moment_is_the_same_from_either_side(of_release: Recorded, replay: Replay) -> None:
    views = of_release.views
    for number in (len(views) - 1, 7, len(views) // 2, len(views) // 2 - 1, 0, len(views) // 3):
        replay.seek(views[number].now)
        newest = max(n for n, view in enumerate(views) if view.now <= views[number].now)
        assert replay.view() == views[newest]


def test_the_end_is_the_end_that_was_seen(of_release: Recorded, replay: Replay) -> None:
    replay.seek(replay.end + timedelta(hours=1))
    assert replay.view() == of_release.views[-1]
    assert of_release.views[-1].result == "done"


def test_playing_goes_at_its_speed_and_stops_at_the_end(replay: Replay) -> None:
    replay.play(5.0)
    assert replay.at == replay.begin, "it stands still"
    replay.is_playing = True
    replay.faster(3)
    replay.play(2.0)
    assert (replay.speed, (replay.at - replay.begin).total_seconds()) == (10, 20.0)
    replay.faster(20)
    replay.play(600.0)
    assert (replay.speed, replay.at, replay.is_playing) == (600, replay.end, False)


def test_gates_and_events_are_found(replay: Replay) -> None:
    gates = []
    while replay.next_gate():
        view = replay.view()
        assert view is not None
        if view.decision.gate is not None:
            gates.append(str(view.decision.gate.id))
    assert list(dict.fromkeys(gates)) == ["cut-over", "node:1", "node:0"]
    replay.seek(replay.begin)
    phases = set()
    while replay.next_event():
        view = replay.view()
        assert view is not None
        phases.add(view.decision.phase)
    assert {Phase.CREATING_GREEN, Phase.CANARY, Phase.DRAINING, Phase.FINISHING} <= phases
    assert not replay.next_event()


def test_a_key_is_told_for_a_moment_after_it_was_pressed(of_release: Recorded) -> None:
    at = of_release.views[40].now
    record = {"event": "key", "at": at.isoformat(), "action": "full_log", "place": "rollout"}
    replay = Replay(Recording("default", "emqx-ee", "test", (record,)), of_release.lines)
    told = {}
    for seconds in (-1, 0, 2, 10):
        replay.seek(at + timedelta(seconds=seconds))
        told[seconds] = replay.key
    assert told == {-1: "", 0: "full log", 2: "full log", 10: ""}


def test_nothing_can_be_asked_of_it(replay: Replay) -> None:
    before = replay.view()
    replay.submit(Hold("somebody", "now"))
    assert replay.is_read_only
    assert replay.published().view == before


def test_samples_are_thinned_out_as_they_were() -> None:
    series, view, log = Series(PLOTTED), releases.draining(samples=()), Recorded()
    for second in range(4_500):
        at = view.now + timedelta(seconds=second)
        series.add(Sample(at, second, 1, {"a": second, "b": 7}))
        if second % 100 == 0 or second == 4_499:
            log.saw(replace(view, snapshot=replace(view.snapshot, now=at), samples=series.frozen()))
    replay = log.replay()
    replay.seek(replay.end)
    found = replay.view()
    assert found is not None
    assert found.samples == series.frozen()


def test_secrets_are_not_recorded() -> None:
    view = releases.draining()
    resource = view.snapshot.resource
    assert resource.value is not None
    raw = {**resource.value.raw, "spec": {"template": {"spec": {"env": [{"name": "A", "value": "hush"}]}}}}
    told = replace(view.snapshot, resource=Reading(replace(resource.value, raw=raw), resource.read_at))
    journal = view.journal
    assert journal is not None
    journal = replace(journal, patch={"spec": {"bootstrapAPIKeys": [{"key": "k", "secret": "hush"}]}})
    alarmed = replace(view, snapshot=told, journal=journal, role_reason="curl -H 'Authorization: Basic hush' x")
    found = recorded.of(alarmed).replay().view()
    assert "hush" in repr(alarmed.snapshot.resource.value.raw if alarmed.snapshot.resource.value else "")
    assert "hush" not in json.dumps(Encoder().encode(alarmed))
    assert "hush" not in repr(found)


def of_an_older_console(lines: Sequence[ViewLine]) -> list[ViewLine]:
    """The same views as they were written before: one object with samples and view, in base 85."""
    found, unpacker, packer = list[ViewLine](), Unpacker(), zlib.compressobj()
    for line in lines:
        if line.number == 1:
            unpacker, packer = Unpacker(), zlib.compressobj()
        text = unpacker._text(line)
        samples, end = json.JSONDecoder().raw_decode(text)
        raw = json.dumps({**json.loads(text[end:]), **samples}).encode()
        packed = b85encode(packer.compress(raw) + packer.flush(zlib.Z_SYNC_FLUSH)).decode()
        told = {"at": line.at.isoformat(), "chunk": line.chunk, "n": line.number, "z": packed}
        found.append(ViewLine.from_record(json.loads(json.dumps(told))))
    return found


def test_a_recording_of_an_older_console_is_shown_too(of_release: Recorded) -> None:
    replay = of_release.replay(of_an_older_console(of_release.lines))
    for number in (0, 3, len(of_release.views) - 1):
        replay.seek(of_release.views[number].now)
        newest = max(n for n, view in enumerate(of_release.views) if view.now <= of_release.views[number].now)
        assert replay.view() == of_release.views[newest]


@pytest.mark.parametrize("prepared", [1, 100, 10_000])
def test_what_is_prepared_changes_no_view(of_release: Recorded, replay: Replay, prepared: int) -> None:
    replay.prepare(prepared)
    replay.seek(replay.end)
    assert replay.view() == of_release.views[-1]
    replay.prepare(prepared)
    replay.seek(replay.begin)
    assert replay.view() == of_release.views[0]


def test_a_line_is_read_as_its_record_is(of_release: Recorded) -> None:
    written = ViewWriter("abc")
    line = json.dumps({"event": "view", **written.record(of_release.views[0])}, separators=(",", ":")).encode() + b"\n"
    found = ViewLine.from_line(line)
    assert found is not None
    assert found == ViewLine.from_record(json.loads(line))
    for other in (line[:-1], line[:-9], b"{}\n", line.replace(b'"b"', b'"c"'), line.replace(b"T", b" "), line * 2):
        assert ViewLine.from_line(other) is None


class TestDamage:
    def test_a_lost_line_costs_the_rest_of_its_chunk(self, of_release: Recorded) -> None:
        lines = [line for line in of_release.lines if line is not of_release.lines[5]]
        replay = of_release.replay(lines)
        replay.seek(of_release.views[60].now)
        assert replay.view() == of_release.views[4]
        replay.seek(of_release.views[0].now + timedelta(seconds=CHUNK_S + 1))
        # The curves lack what was counted meanwhile, and nothing else.
        found = replay.view()
        assert found is not None
        assert replace(found, samples=()) in [replace(view, samples=()) for view in of_release.views[6:]]

    def test_a_line_that_cannot_be_unpacked_is_left_out(self, of_release: Recorded) -> None:
        lines = [replace(line, packed=b"nonsense") if n == 5 else line for n, line in enumerate(of_release.lines)]
        replay = of_release.replay(lines)
        replay.seek(of_release.views[60].now)
        assert replay.view() == of_release.views[4]

    def test_a_file_without_views_is_refused(self, of_release: Recorded) -> None:
        with pytest.raises(Malformed):
            of_release.replay([])

    @pytest.mark.parametrize("kind", ["session.session:Session", "os:system", "rollout.phases:settle"])
    def test_only_parts_of_views_are_made(self, kind: str) -> None:
        decoder = Decoder()
        decoder.tables = {kind: []}
        with pytest.raises(Malformed):
            decoder.decode([kind])

    @pytest.mark.parametrize("told", [{}, {"at": "2026-01-01", "chunk": "a", "n": 1, "z": ""}, {"at": 1}])
    def test_what_is_no_line_is_said_so(self, told) -> None:
        with pytest.raises((ValueError, TypeError, KeyError)):
            ViewLine.from_record(told)
