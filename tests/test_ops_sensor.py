"""Promises of the noises of sensors beyond those that every operator makes."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import poisson as exact_poisson

from degrade import ops
from degrade.kernels import to_linear
from degrade.kernels.camera import demosaic, mosaic, raw_matrices, tone, untone
from degrade.kernels.color import recolor
from degrade.kernels.poisson import poisson
from degrade.rng import uniform


def given(name: str, x: torch.Tensor, **values: float | str) -> torch.Tensor:
    """The operator with given values, applied to every picture of the batch."""
    op = ops.get(name)
    return op.apply(x, [op.sample(None, i, min(x.shape[-2:]), given=values) for i in range(len(x))])


def flat(level: float, side: int = 256) -> torch.Tensor:
    return torch.full((1, 3, side, side), level)


@pytest.mark.parametrize("mean", [0.02, 1.0, 5.5, 12.0])
def test_few_photons_are_counted_exactly(mean: float) -> None:
    u = uniform(torch.tensor([3]), (1, 20000))
    counts = poisson(torch.full_like(u, mean), u)
    # At the edges of a step float32 may fall to either side: one value in ten thousand may differ.
    same = counts.double() == torch.from_numpy(exact_poisson.ppf(u.double().numpy(), mean))
    assert float(same.double().mean()) >= 0.9998


@pytest.mark.parametrize("mean", [12.5, 40.0, 3000.0])
def test_many_photons_have_the_distribution_of_poisson(mean: float) -> None:
    u = uniform(torch.tensor([3]), (1, 50000))
    counts = poisson(torch.full_like(u, mean), u).double()
    assert float(counts.mean()) == pytest.approx(mean, rel=0.003)
    assert float(counts.var()) == pytest.approx(mean, rel=0.03)
    exact = torch.from_numpy(exact_poisson.ppf(u.double().numpy(), mean))
    assert float((counts - exact).abs().max()) <= 1.0
    assert float((counts == exact).double().mean()) > 0.97


def test_more_light_never_gives_fewer_photons() -> None:
    u = uniform(torch.tensor([1]), (1, 2000))
    means = torch.linspace(0.0, 30.0, 301)[:, None].expand(301, 2000)
    counts = poisson(means, u.expand(301, 2000))
    assert bool((counts[1:] >= counts[:-1]).all())
    assert float(counts[0].max()) == 0.0


@pytest.mark.parametrize("level", [0.15, 0.5, 0.8])
@pytest.mark.parametrize("photons", [25.0, 400.0])
def test_shot_noise_has_a_variance_proportional_to_the_light(level: float, photons: float) -> None:
    x = flat(level)
    light = float(to_linear(x[0, 0, 0, 0]))
    seen = to_linear(given("shot_noise", x, photons=photons))
    assert float(seen.mean()) == pytest.approx(light, rel=0.03)
    if light + 4.0 * math.sqrt(light / photons) < 1.0:  # nothing clipped
        assert float(seen.var()) == pytest.approx(light / photons, rel=0.04)
    steps = seen * photons
    below = steps[seen < 0.999]
    assert float((below - below.round()).abs().max()) < 0.01, "a pixel shows whole photons"


def test_shot_noise_reaches_the_published_three_photons(photos: torch.Tensor) -> None:
    op = ops.get("shot_noise")
    record = op.sample(None, "k", 96, given={"photons": 3})
    assert record.intensity == 1.0
    y = op.apply(photos[:1], [record])
    assert len(to_linear(y).mul(3).round().unique()) <= 4


def test_the_tone_curve_of_the_camera_is_undone() -> None:
    x = torch.linspace(0.0, 1.0, 1001).reshape(1, 1, 1, -1)
    assert torch.allclose(tone(untone(x)), x, atol=2e-4)
    there, back = raw_matrices(torch.tensor([2.1]), torch.tensor([1.7]))
    assert torch.allclose(there @ back, torch.eye(3)[None], atol=1e-5)
    grey = recolor(torch.ones(1, 3, 1, 1), there).flatten()
    assert torch.allclose(grey, 0.8 / torch.tensor([2.1, 1.0, 1.7]), atol=1e-3)


def test_demosaicing_keeps_the_samples_and_flat_fields() -> None:
    x = torch.rand((1, 3, 8, 11), generator=torch.Generator().manual_seed(0))
    full = demosaic(mosaic(x))
    assert torch.equal(full[:, 0, ::2, ::2], x[:, 0, ::2, ::2])
    assert torch.equal(full[:, 1, ::2, 1::2], x[:, 1, ::2, 1::2])
    assert torch.equal(full[:, 2, 1::2, 1::2], x[:, 2, 1::2, 1::2])
    color = torch.tensor([0.2, 0.5, 0.9]).reshape(1, 3, 1, 1).expand(1, 3, 6, 9)
    assert torch.allclose(demosaic(mosaic(color)), color)


@pytest.mark.parametrize("shot", [1e-4, 1e-3])
def test_iso_noise_is_poisson_gaussian_on_raw_values(shot: float) -> None:
    read = math.exp(2.18 * math.log(shot) + 1.20)
    x = flat(0.5)
    y = given("iso_noise", x, lambda_shot=shot, lambda_read=read, red_gain=2.0, blue_gain=1.6)
    to_raw, _ = raw_matrices(torch.tensor([2.0]), torch.tensor([1.6]))
    clean, noisy = (recolor(untone(t), to_raw) for t in (x, y))
    for channel, (row, column) in enumerate(((0, 0), (0, 1), (1, 1))):
        values = noisy[0, channel, row::2, column::2]
        level = float(clean[0, channel, 0, 0])
        assert float(values.mean()) == pytest.approx(level, rel=0.01)
        assert float(values.var()) == pytest.approx(shot * level + read, rel=0.05)


def test_iso_noise_stays_on_the_line_of_cameras() -> None:
    op = ops.get("iso_noise")
    for intensity in (0.1, 0.5, 1.0):
        value = {p.name: p.value for p in op.sample(intensity, "k", 512).params}
        assert math.log(value["lambda_read"]) == pytest.approx(
            2.18 * math.log(value["lambda_shot"]) + 1.20, abs=1e-4
        )


def test_clipped_highlights_have_no_iso_noise() -> None:
    y = given("iso_noise", flat(1.0, 64), lambda_shot=0.01)
    assert float(y.min()) > 0.999


@pytest.mark.parametrize("kind", ["color", "grey"])
def test_impulses_are_as_many_as_told_and_salt_or_pepper(kind: str) -> None:
    x = flat(0.5)
    y = given("impulse_noise", x, fraction=0.27, salt=0.4, kind=kind)
    hit = y != x
    assert float(hit.float().mean()) == pytest.approx(0.27, abs=0.01)
    assert set(y[hit].unique().tolist()) == {0.0, 1.0}
    assert float(y[hit].mean()) == pytest.approx(0.4, abs=0.01)
    together = bool((hit[:, 0] == hit[:, 1]).all())
    assert together == (kind == "grey")


def test_impulses_stay_as_they_become_more() -> None:
    few, many = (
        given("impulse_noise", flat(0.5), fraction=f, salt=0.5, kind="color") for f in (0.02, 0.1)
    )
    hit = few != 0.5
    assert torch.equal(few[hit], many[hit])


def test_speckle_is_a_share_of_the_value() -> None:
    x = torch.cat((flat(0.0), flat(0.2), flat(0.4)))
    y = given("speckle_noise", x, sigma=0.15)
    assert float(y[0].abs().max()) == 0.0
    for i, level in ((1, 0.2), (2, 0.4)):
        assert float(y[i].mean()) == pytest.approx(level, rel=0.005)
        assert float(y[i].std()) == pytest.approx(0.15 * level, rel=0.02)


def test_banding_is_one_offset_per_row_and_per_column() -> None:
    x = flat(0.7, 400)
    y = to_linear(given("banding_noise", x, row_sigma=0.02, column_sigma=0.01))[0]
    change = y - to_linear(x)[0]
    assert torch.allclose(change[0], change[2], atol=1e-6)
    rows, columns = change[0].mean(1), change[0].mean(0)
    assert float(rows.std()) == pytest.approx(0.02, rel=0.15)
    assert float(columns.std()) == pytest.approx(0.01, rel=0.15)
    rest = change[0] - rows[:, None] - columns[None, :] + change[0].mean()
    assert float(rest.abs().max()) < 1e-4
