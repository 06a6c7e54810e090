"""Seeds and fields: stateless, well spread, the same everywhere."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from degrade.rng import bits, derive, normal, uniform, unit


def test_seeds_are_stable_across_releases() -> None:
    # A change here breaks the replay of every record ever written.
    assert derive(0, "cat.jpg", 0, "motion_blur", "angle") == 1673024046
    assert bits(torch.tensor([7]), (1, 3)).tolist() == [[1420618368, -2065701882, -506330980]]


@given(st.lists(st.one_of(st.integers(), st.text()), min_size=1, max_size=5))
def test_seeds_fit_32_bits(path: list[int | str]) -> None:
    assert 0 <= derive(*path) < 2**32
    assert 0.0 <= unit(*path) < 1.0


def test_parts_of_a_path_do_not_run_together() -> None:
    assert len({derive("a", "bc"), derive("ab", "c"), derive("abc"), derive(1), derive("1")}) == 5


def test_names_that_are_not_utf8_have_a_seed() -> None:
    assert derive("caf\udce9.jpg") != derive("cafe.jpg")


@pytest.mark.parametrize(("field", "law"), [(uniform, "uniform"), (normal, "norm")])
def test_fields_follow_their_law(field: object, law: str) -> None:
    seeds = torch.tensor([0, 1, 2**32 - 1])
    values = field(seeds, (3, 3, 64, 64))  # type: ignore[operator]
    for row in values:
        assert kstest(row.flatten().numpy(), law).pvalue > 1e-3
    flat = values.reshape(3, -1)
    assert float(torch.corrcoef(flat).fill_diagonal_(0).abs().max()) < 0.04
    assert abs(float(torch.corrcoef(torch.stack((flat[0, 1:], flat[0, :-1])))[0, 1])) < 0.04


def test_a_field_depends_on_its_own_seed_and_stream_alone() -> None:
    both = normal(torch.tensor([5, 9]), (2, 1, 8, 8))
    assert torch.equal(normal(torch.tensor([9]), (1, 1, 8, 8))[0], both[1])
    assert not torch.equal(normal(torch.tensor([9]), (1, 1, 8, 8), stream=1)[0], both[1])


def test_neighbouring_seeds_do_not_give_shifted_copies() -> None:
    a, b = uniform(torch.tensor([41, 42]), (2, 4096))
    for shift in (-1, 1):
        assert abs(float(torch.corrcoef(torch.stack((a, b.roll(shift))))[0, 1])) < 0.06


def test_the_corner_of_a_field_is_what_the_whole_has_there() -> None:
    seed = torch.tensor([3, 4_000_000_000])
    whole = normal(seed, (2, 3, 64, 64), stream=5)
    assert torch.equal(normal(seed, (2, 3, 20, 37), 5, within=64), whole[..., :20, :37])
    strip = normal(seed, (2, 1, 4, 100_000), within=1 << 17)  # the whole would take 70 GB
    assert float(strip.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(strip.std()) == pytest.approx(1.0, abs=0.01)
