"""Quantities as Kubernetes writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from emqx_tui.model.quantities import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"),
        (3, "3"),
        ("500m", "0.5"),
        ("2", "2"),
        ("1.5", "1.5"),
        (".5Gi", "536870912"),
        ("64Mi", "67108864"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("2E", "2000000000000000000"),
        ("12e6", "12000000"),
        ("1E3", "1000"),
        ("-1", "-1"),
        ("100n", "0.0000001"),
    ],
)
def test_suffixes_and_exponents(text: object, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "five", "1 Gi x", "1mi", "1KB", None, "0x10", "1e", "--1"])
def test_anything_else_is_refused_with_the_text(text: object) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantity(text)
