"""Shared primitives against slower, independent computations."""

from __future__ import annotations

import kornia
import numpy as np
import pytest
import torch
from scipy.ndimage import convolve as scipy_convolve
from scipy.ndimage import convolve1d, gaussian_filter
from scipy.special import ive
from torch.testing import assert_close

from degrade import kernels
from degrade.kernels import fields
from degrade.kernels.marks import level
from degrade.kernels.resample import resize
from degrade.rng import normal


def test_light_agrees_with_kornia_and_round_trips() -> None:
    x = torch.linspace(0, 1, 4096).reshape(1, 1, 64, 64).expand(1, 3, 64, 64)
    assert torch.allclose(kernels.to_linear(x), kornia.color.rgb_to_linear_rgb(x), atol=1e-6)
    assert torch.allclose(kernels.to_srgb(x), kornia.color.linear_rgb_to_rgb(x), atol=1e-6)
    assert torch.allclose(kernels.to_srgb(kernels.to_linear(x)), x, atol=1e-6)


@pytest.mark.parametrize("size", [(31, 40), (64, 64)])
def test_convolution_agrees_with_scipy(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.random((2, 3, *size), dtype=np.float32)
    psf = rng.random((2, 1, 9, 9), dtype=np.float32)
    ours = kernels.convolve(torch.from_numpy(x), torch.from_numpy(psf)).numpy()
    for b in range(2):
        for c in range(3):
            expected = scipy_convolve(x[b, c], psf[b, 0], mode="mirror")
            assert np.abs(ours[b, c] - expected).max() < 1e-4


def test_gaussian_blur_is_the_discrete_gaussian_per_image() -> None:
    x = np.random.default_rng(1).random((3, 1, 50, 61), dtype=np.float32)
    sigma = torch.tensor([0.3, 1.5, 4.0])
    ours = kernels.gaussian_blur(torch.from_numpy(x), sigma).numpy()
    for b in range(3):
        width = float(sigma[b])
        weights = ive(np.arange(-30, 31), width**2)  # exp(-t) I_n(t), Lindeberg's kernel
        expected = convolve1d(x[b, 0], weights, 0, mode="mirror")
        expected = convolve1d(expected, weights, 1, mode="mirror")
        assert np.abs(ours[b, 0] - expected).max() < 1e-4
    sampled = gaussian_filter(x[2, 0], 4.0, mode="mirror", truncate=6)
    assert np.abs(ours[2, 0] - sampled).max() < 5e-3


def test_warp_by_whole_pixels_is_a_shift() -> None:
    x = torch.rand(1, 2, 9, 12)
    move = torch.full((1, 9, 12), 2.0)
    y = kernels.warp(x, move, torch.zeros(1, 9, 12))
    assert torch.allclose(y[..., :10], x[..., 2:], atol=1e-5)
    assert torch.allclose(y[..., 11], x[..., 11], atol=1e-5)


def test_smooth_noise_is_one_landscape_at_any_resolution() -> None:
    seed = torch.tensor([3])
    small = kernels.smooth_noise(seed, torch.zeros(1, 3, 100, 150), cell=0.2)
    large = kernels.smooth_noise(seed, torch.zeros(1, 3, 400, 600), cell=0.2)
    pooled = torch.nn.functional.avg_pool2d(large, 4)
    assert float((pooled - small).abs().max()) < 0.05
    many = kernels.smooth_noise(torch.arange(64), torch.zeros(64, 3, 40, 40), cell=0.1)
    assert float(many.std()) == pytest.approx(1.0, abs=0.1)


def test_a_line_of_pixels_needs_little_memory() -> None:
    seed = torch.tensor([3])
    for size in ((1, 1500), (1500, 1)):  # a square of knots below a pixel was 600 GB
        field = kernels.smooth_noise(seed, torch.zeros(1, 3, *size), cell=0.006)
        assert float(field.std()) == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("size", [(97, 300), (300, 64), (65, 1)])
@pytest.mark.parametrize("step", [1.0, 2.3, 40.0])
def test_splines_by_runs_of_pixels_are_the_product_of_whole_matrices(
    size: tuple[int, int], step: float
) -> None:
    down, across = (fields._spline_basis(n, step, torch.device("cpu")) for n in size)
    values = normal(torch.tensor([1, 2]), (2, 3, down.shape[1], across.shape[1]))
    by_runs = fields._spline(values, torch.zeros(2, 3, *size), step)
    assert_close(by_runs, down @ values @ across.T, rtol=0.0, atol=2e-6)


def test_level_is_the_quantile() -> None:
    field = normal(torch.tensor([1, 2, 3]), (3, 1, 40, 50))
    share = torch.tensor([0.0, 0.317, 1.0])
    found = level(field, share).flatten()
    for row, q, value in zip(field.flatten(1), share, found, strict=True):
        assert_close(value, row.quantile(q))


@pytest.mark.parametrize("to", [(7, 11), (50, 60), (13, 60), (50, 11)])
def test_areas_are_means_of_footprints(to: tuple[int, int]) -> None:
    x = normal(torch.tensor([4]), (1, 3, 20, 30))
    fine = x.repeat_interleave(to[0], 2).repeat_interleave(to[1], 3).double()
    exact = fine.reshape(1, 3, to[0], 20, to[1], 30).mean((3, 5)).float()
    assert_close(resize(x, *to, "area"), exact, rtol=0.0, atol=1e-5)
