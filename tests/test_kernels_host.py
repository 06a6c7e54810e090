"""The quick way on a CPU gives what torch gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.autograd import forward_ad

from degrade.kernels import blur, host, light, lowpass, places

SIZES = ((1, 1), (1, 7), (5, 2), (33, 47), (64, 40))


def pictures(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.rand(2, 3, height, width, generator=generator)


def both(monkeypatch: pytest.MonkeyPatch, work: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
    quick = work()
    with monkeypatch.context() as patched:
        patched.setattr(host, "plain", lambda *tensors: False)
        return [quick, work()]


@pytest.mark.parametrize("size", SIZES)
def test_filters_agree(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    x = pictures(*size)
    kernels = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    psf = kernels / kernels.sum((-2, -1), keepdim=True)
    sigma, cutoff = torch.tensor([0.7, 6.0]), torch.tensor([0.5, 1.5])
    for work in (
        lambda: blur.convolve(x, psf),
        lambda: blur.convolve(x, psf[:, :1]),
        lambda: blur.gaussian_blur(x, sigma),
        lambda: lowpass.ideal_low_pass(x, cutoff, 0.2),
    ):
        quick, slow = both(monkeypatch, work)
        assert quick.shape == slow.shape == x.shape
        assert torch.allclose(quick, slow, atol=2e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", list(host.BORDERS))
def test_sampling_agrees_inside_and_outside(
    size: tuple[int, int], padding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = pictures(*size)
    generator = torch.Generator().manual_seed(1)
    where = torch.rand(2, 11, 13, 2, generator=generator) * 3.0 - 1.0
    where = where * torch.tensor((size[1], size[0]))
    where[:, 0] *= 1e9
    quick, slow = both(monkeypatch, lambda: places.sample(x, where, padding=padding))  # type: ignore[arg-type]
    assert torch.allclose(quick, slow, atol=2e-5)
    dx, dy = (torch.randn(2, *size, generator=generator) * 4.0 for _ in range(2))
    quick, slow = both(monkeypatch, lambda: places.warp(x, dx, dy))
    assert torch.allclose(quick, slow, atol=2e-5)


def test_no_points_are_no_trouble() -> None:
    field = pictures(5, 4)
    assert places.at_points(field, torch.empty(2, 0, 2)).shape == (2, 0, 3)
    assert places.warp(field[:0], torch.empty(0, 5, 4), torch.empty(0, 5, 4)).shape == (0, 3, 5, 4)


def test_light_agrees_over_its_whole_range(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.linspace(-0.1, 1.1, 4096)
    for curve in (light.to_linear, light.to_srgb):
        quick, slow = both(monkeypatch, lambda f=curve: f(x))
        assert torch.allclose(quick, slow, atol=3e-7)


def test_powers_agree_where_numbers_end() -> None:
    x = torch.tensor([-1000.0, -100.0, -30.0, 0.0, 1.0, 88.0, float("inf")])
    assert torch.allclose(host.exp_(x.clone()), x.exp(), rtol=1e-6)
    y = torch.tensor([0.0, 1e-38, 1e-26, 1.0, 1e30])
    assert torch.allclose(host.log_(y.clone()), y.log(), rtol=1e-6)


def test_the_input_stays_as_it_was_and_views_are_understood() -> None:
    x = pictures(40, 56)
    before, turned = x.clone(), x.mT
    psf = torch.ones(2, 1, 3, 3) / 9.0
    once = blur.convolve(turned, psf)
    assert torch.equal(x, before)
    assert torch.allclose(once.mT, blur.convolve(x, psf), atol=2e-6)
    view = x[:, :, ::2, ::2]
    assert torch.allclose(host.exp_(view), before[:, :, ::2, ::2].exp())
    assert torch.equal(x[:, :, 1::2], before[:, :, 1::2])


def test_gradients_go_the_way_of_torch() -> None:
    x = pictures(16, 20).requires_grad_()
    psf = torch.ones(2, 1, 3, 3) / 9.0
    made = light.to_srgb(blur.gaussian_blur(blur.convolve(light.to_linear(x), psf), torch.ones(2)))
    shift = torch.full((2, 16, 20), 0.3)
    places.warp(made, shift, shift).sum().backward()
    assert x.grad is not None
    assert (x.grad > 0.0).all()


def test_the_defaults_of_the_process_do_not_matter() -> None:
    x, psf, where = pictures(9, 12), torch.ones(2, 1, 3, 3) / 9.0, torch.full((2, 4, 5, 2), 3.3)
    transfer, kind = torch.ones(2, 12, 9), torch.get_default_dtype()
    works = (
        lambda: blur.convolve(x, psf),
        lambda: blur.filtered(x, transfer, 1),
        lambda: places.sample(x, where),
    )
    for work in works:
        before = work()
        with torch.device("meta"):
            assert torch.equal(work(), before)
        try:
            torch.set_default_dtype(torch.float64)
            assert work().dtype == torch.float32
        finally:
            torch.set_default_dtype(kind)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_those_who_watch_see_every_step() -> None:
    """Forward derivatives and traces would otherwise be wrong without a word."""
    x, psf = pictures(9, 12), torch.ones(2, 1, 3, 3) / 9.0
    slope = torch.full_like(x, 1e-3)
    for work in (light.to_linear, light.to_srgb, lambda x: blur.convolve(x, psf)):
        moved = torch.func.jvp(work, (x,), (slope,))[1]
        backward = torch.func.vjp(work, x)[1](torch.ones_like(x))[0]
        assert torch.allclose(moved.sum(), (backward * slope).sum(), rtol=1e-4)
        with forward_ad.dual_level():
            dual = work(forward_ad.make_dual(x, slope))  # type: ignore[no-untyped-call]
            tangent = forward_ad.unpack_dual(dual).tangent  # type: ignore[no-untyped-call]
        assert tangent is not None
        assert torch.allclose(tangent, moved)
    assert torch.allclose(torch.vmap(light.to_linear)(x), light.to_linear(x), atol=1e-6)
    traced: Any = torch.jit.trace(light.to_linear, (x,), check_trace=False)  # type: ignore[no-untyped-call]
    assert torch.allclose(traced(x.flip(-1)), light.to_linear(x.flip(-1)), atol=1e-6)
