"""The machinery: what a signature must declare, and what callers are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest
import torch

from degrade import ops
from degrade.errors import UserError
from degrade.params import Draw, Images, PerImage, Seed, Severity, col
from degrade.registry import TABLE, operator


@pytest.fixture
def table() -> Iterator[None]:
    """Restore the table afterwards."""
    before = dict(TABLE)
    yield
    TABLE.clear()
    TABLE.update(before)


@pytest.mark.usefixtures("table")
def test_a_typed_function_is_an_operator() -> None:
    @operator(stage="environment", family="light", refs=("none",))
    def veil(
        x: Images,
        haze: Annotated[PerImage, Severity(0.0, 0.5, unit="share")],
        tone: Annotated[PerImage, Draw(0.2, 0.8, unit="full scale")],
        reach: Annotated[PerImage, Severity(0.0, 0.1, unit="px", relative=True)],
        seed: Seed,
    ) -> Images:
        """Mix in a grey."""
        return torch.lerp(x, col(tone).expand_as(x), col(haze))

    x = torch.rand(2, 3, 100, 120)
    y, records = ops.get("veil")(x, [0.5, 1.0], ["a", "b"])
    first = {p.name: p for p in records[0].params}
    assert (first["haze"].value, first["haze"].unit) == (0.25, "share")
    assert (first["reach"].value, records[0].short_side) == (5.0, 100)
    assert [s.name for s in records[0].seeds] == ["seed"]
    assert 0.2 <= first["tone"].value < 0.8
    expected = x[0] * 0.75 + first["tone"].value * 0.25
    assert torch.allclose(y[0], expected, atol=1e-6)


@pytest.mark.usefixtures("table")
def test_incomplete_declarations_raise_at_import() -> None:
    strength = Annotated[PerImage, Severity(0.0, 1.0, unit="share")]

    def undeclared(x: Images, amount: PerImage) -> Images:
        """Documented."""
        return x

    def undocumented(x: Images, amount: strength) -> Images:  # type: ignore[valid-type]
        return x

    def constant(x: Images, seed: Seed) -> Images:
        """No severity."""
        return x

    def kindless(
        x: Images, amount: Annotated[PerImage, Severity(0, 1, unit="", only=("red",))]
    ) -> Images:
        """A kind that there is not."""
        return x

    def lens_blur(x: Images, amount: strength) -> Images:  # type: ignore[valid-type]
        """Taken."""
        return x

    for kernel, message in (
        (undeclared, "declaration"),
        (undocumented, "docstring"),
        (constant, "intensity"),
        (kindless, "kinds of 'amount'"),
        (lens_blur, "taken"),
    ):
        with pytest.raises(TypeError, match=message):
            operator(stage="environment", family="light")(kernel)
    with pytest.raises(TypeError, match="stage"):
        operator(stage="capture", family="light")(undeclared)  # type: ignore[arg-type]


def test_a_misspelt_name_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'motion_blur'"):
        ops.get("motoin_blur")
    assert ops.get("motion blur") is ops.get("motion_blur")


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.zeros(3, 8, 8), "shape"),
        (torch.zeros(1, 1, 8, 8), "expand"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "uint8"),
        (torch.zeros(1, 3, 0, 8), "shape"),
        ([1.0], "list"),
    ],
)
def test_wrong_batches_are_named(batch: object, message: str) -> None:
    op = ops.get("lens_blur")
    with pytest.raises(UserError, match=message):
        op.apply(batch, [op.sample(0.5, "k", 8)])  # type: ignore[arg-type]


def test_wrong_numbers_are_named() -> None:
    op = ops.get("lens_blur")
    with pytest.raises(UserError, match="one key per picture"):
        op(torch.zeros(2, 3, 8, 8), [0.5], ["a", "b"])
    for bad in (-0.1, 1.1, float("nan")):
        with pytest.raises(UserError, match="outside"):
            op.sample(bad, "k", 8)


def test_wrong_given_values_are_named() -> None:
    for name, given, message in (
        ("lens_blur", {"radius": -1.0}, "give a value from 0 to 64"),
        ("lens_blur", {"radius": 65.0}, "give a value from 0 to 64"),
        ("lens_blur", {"radius": float("nan")}, "a number in px"),
        ("lens_blur", {"radius": None}, "a number in px"),
        ("jpeg_compression", {"quality": 30.5}, "whole number"),
        ("channel_error", {"shift": 3.0, "kind": "swap"}, "effect on shift alone"),
        ("channel_error", {"shift": 3.0}, "Give the kind with it"),
    ):
        with pytest.raises(UserError, match=message):
            ops.get(name).sample(0.5, "k", 64, given)  # type: ignore[arg-type]


def test_no_power_of_the_size_takes_a_value_where_there_is_none() -> None:
    for name, side, most in (("impulse_noise", 1, 1.0), ("jpeg2000_compression", 20_000, 1e6)):
        assert ops.get(name).sample(1.0, "k", side).params[0].value == most


def test_severity_and_draw_reach_their_ends() -> None:
    assert Severity(100, 4, unit="", curve="geometric").at(1.0, 512) == pytest.approx(4)
    assert Severity(0, 0.1, unit="px", relative=True).at(0.5, 200) == pytest.approx(10)
    assert Severity(0, 1, unit="", size_power=-0.5).at(1.0, 2048) == pytest.approx(0.5)
    dice = Draw(1, 6, unit="", integer=True)
    assert {dice.at(u / 60, 1) for u in range(60)} == {1, 2, 3, 4, 5, 6}
    assert dice.at(1 - 2**-32, 1) == 6
