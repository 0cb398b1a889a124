"""The recording shows exactly one of its pictures at every instant."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tests.screenshots.recording import recording

FRAMES = [
    (f'<svg viewBox="0 0 10 10" xmlns="http://www.w3.org/2000/svg"><text>{n}</text>\n</svg>\n', s)
    for n, s in enumerate((2.0, 0.5, 7.5))
]


def test_every_picture_is_in_it_once_and_in_order() -> None:
    svg = ElementTree.fromstring(recording(FRAMES))
    assert svg.get("viewBox") == "0 0 10 10"
    assert [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")] == ["0", "1", "2"]


def test_one_follows_the_other_and_the_last_ends_with_the_whole() -> None:
    told = re.findall(r"0% \{ visibility: hidden \} ([\d.]+)% \{ visibility: visible \} ([\d.]+)%", recording(FRAMES))
    assert told == [("0.000", "20.000"), ("20.000", "25.000"), ("25.000", "100.000")]
    assert recording(FRAMES).count("10s step-end infinite") == 3
