"""Topic filters, by the examples of the MQTT specification (4.7)."""

import pytest

from emqx_tui.sandbox.emqx.topics import Subscribers, is_filter, is_topic, matches


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "a/b", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("a/b/#", "a", False),
        ("a", "a", True),
        ("a", "A", False),
    ],
)
def test_a_filter_and_a_topic(pattern: str, topic: str, fits: bool) -> None:
    assert matches(pattern, topic) is fits


@pytest.mark.parametrize("pattern", ["", "a#", "a/#/b", "a+", "+a/b", "a\0b"])
def test_what_is_no_filter(pattern: str) -> None:
    assert not is_filter(pattern)


@pytest.mark.parametrize("pattern", ["#", "+", "a/+/b", "a/#", "/", "a b"])
def test_what_is_a_filter(pattern: str) -> None:
    assert is_filter(pattern)


def test_what_is_a_topic() -> None:
    assert is_topic("a/b")
    assert not any(is_topic(each) for each in ("", "a/+", "#", "a\0"))


def test_subscribers_are_found_by_name_and_by_wildcard() -> None:
    subscribers = Subscribers()
    subscribers.add("a/b", "one")
    subscribers.add("a/+", "two")
    subscribers.add("a/+", "one")
    assert sorted(subscribers.of("a/b")) == [("one", "a/+"), ("one", "a/b"), ("two", "a/+")]
    subscribers.remove("a/b", "one")
    subscribers.remove("a/+", "one")
    assert list(subscribers.of("a/b")) == [("two", "a/+")]
    assert len(subscribers) == 1
