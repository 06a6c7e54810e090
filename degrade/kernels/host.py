"""The quick way on a CPU, where no gradient is asked for: OpenCV's vectorised functions.

Same formulas and float32 as the torch functions beside which these are called, to the last bit or
two: exp and log are eight times, Fourier transforms of real planes twice as fast.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.autograd import forward_ad

Plane = npt.NDArray[np.float32]

_EXACT = int(cv2.__version__.split(".", maxsplit=1)[0]) >= 5
"""Before version 5 OpenCV's remap rounds places to 1/32 pixel."""
_LONGEST = 32_766  # pixels a side that remap can address
BORDERS = {
    "border": cv2.BORDER_REPLICATE,
    "reflection": cv2.BORDER_REFLECT,
    "zeros": cv2.BORDER_CONSTANT,
}
"""Padding of ``grid_sample`` -> the same of OpenCV."""
_FAR = 4.0  # sizes outside: OpenCV mirrors farther places a step at a time, without end


def plain(*tensors: torch.Tensor) -> bool:
    """Whether all are float32 in the memory of the host, and nobody watches what is done to them.

    Neither autograd in either mode, nor a compiler, a tracer or ``vmap``: they do not see OpenCV.
    """
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if tracing or torch.compiler.is_compiling():
        return False
    return all(
        t.device.type == "cpu" and t.dtype == torch.float32 and not t.requires_grad for t in tensors
    ) and all(map(_unwatched, tensors))


def _unwatched(t: torch.Tensor) -> bool:
    """Whether it holds values, which it does not in ``vmap`` and ``jvp``, and no derivatives."""
    try:
        t.data_ptr()
    except RuntimeError:
        return False
    return forward_ad.unpack_dual(t).tangent is None  # type: ignore[no-untyped-call]


def exp_(x: torch.Tensor) -> torch.Tensor:
    """``x.exp_()``: in place, any shape."""
    if not (plain(x) and x.is_contiguous()):
        return x.exp_()
    flat = x.numpy().reshape(-1)
    cv2.exp(flat, flat)
    return x


def log_(x: torch.Tensor) -> torch.Tensor:
    """``x.log_()``: in place, any shape."""
    if not (plain(x) and x.is_contiguous()):
        return x.log_()
    flat = x.numpy().reshape(-1)
    cv2.log(flat, flat)
    return x


def can_sample(x: torch.Tensor, padding: str, columns: torch.Tensor, rows: torch.Tensor) -> bool:
    """Whether :func:`sample` can do it: what OpenCV computes exactly, and at once."""
    longest = max(max(t.shape[1:]) for t in (x, columns))
    if not (_EXACT and plain(x, columns, rows) and longest <= _LONGEST) or 0 in (
        *x.shape,
        *columns.shape,
    ):
        return False
    if padding != "reflection":
        return True
    ends = [t.aminmax() for t in (columns, rows)]
    return all(
        -_FAR * size < float(end.min) and float(end.max) < (1.0 + _FAR) * size
        for end, size in zip(ends, (x.shape[-1], x.shape[-2]), strict=True)
    )


def sample(
    x: torch.Tensor, columns: torch.Tensor, rows: torch.Tensor, padding: str
) -> torch.Tensor:
    """Pictures at points, bilinear.

    Args:
        x: (B, C, H, W).
        columns: (B, H', W') in pixels, the centre of the first at 0.5.
        rows: (B, H', W'), likewise downwards.
        padding: One of :data:`BORDERS`.

    Returns:
        (B, C, H', W').
    """
    out = x.new_empty((*x.shape[:2], *columns.shape[1:]))
    places = [np.ascontiguousarray(t.numpy()) - np.float32(0.5) for t in (columns, rows)]
    if padding != "reflection":  # beyond two pixels all are alike, and fit OpenCV's integers
        for place, size in zip(places, (x.shape[-1], x.shape[-2]), strict=True):
            np.clip(place, -2.0, size + 1.0, out=place)
    for target, picture, right, down in zip(out.numpy(), x.numpy(), *places, strict=True):
        for c, plane in enumerate(picture):
            source = np.ascontiguousarray(plane)
            target[c] = cv2.remap(
                source, right, down, cv2.INTER_LINEAR, borderMode=BORDERS[padding]
            )
    return out


def convolve(x: torch.Tensor, psf: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Circular convolution of pictures that are extended by mirroring.

    Args:
        x: (B, C, H, W).
        psf: (B, 1 or C, K, K), K odd; centred.
        rows: Height of the transform: a fast length, at least H + K - 1.
        columns: Its width, likewise.

    Returns:
        (B, C, H, W).
    """
    pad = psf.shape[-1] // 2
    out = x.new_empty(x.shape)
    for target, picture, kernels in zip(out.numpy(), x.numpy(), psf.numpy(), strict=True):
        spectra = []
        for kernel in kernels:
            field = np.zeros((rows, columns), np.float32)
            field[: len(kernel), : len(kernel)] = kernel
            spectra.append(cv2.dft(field, field, nonzeroRows=len(kernel)))
        for c, plane in enumerate(picture):
            product = _spectrum(plane, pad, rows, columns)
            cv2.mulSpectrums(product, spectra[min(c, len(spectra) - 1)], 0, product)
            # The psf sits in the corner: the result is delayed by ``pad``, and by the border.
            target[c] = _plane(product, 2 * pad, plane.shape)
    return out


def filtered(x: torch.Tensor, transfer: torch.Tensor, pad: int) -> torch.Tensor:
    """Pictures with a real transfer function applied.

    Args:
        x: (B, C, H, W).
        transfer: (B, rows, columns / 2 + 1) on the half spectrum; rows and columns even.
        pad: Mirrored pixels before a picture; behind it are as many as fill the transform.

    Returns:
        (B, C, H, W).
    """
    rows, columns = transfer.shape[-2], 2 * (transfer.shape[-1] - 1)
    out = x.new_empty(x.shape)
    for target, picture, half in zip(out.numpy(), x.numpy(), transfer.numpy(), strict=True):
        weights = _packed(half)
        for c, plane in enumerate(picture):
            product = _spectrum(plane, pad, rows, columns)
            target[c] = _plane(np.multiply(product, weights, out=product), pad, plane.shape)
    return out


def _spectrum(plane: Plane, pad: int, rows: int, columns: int) -> Plane:
    """Packed spectrum of a plane with mirrored borders, as OpenCV's dft gives it for real input."""
    height, width = plane.shape
    below, right = rows - height - pad, columns - width - pad
    wide = cv2.copyMakeBorder(plane, pad, below, pad, right, cv2.BORDER_REFLECT_101)
    spectrum: Plane = cv2.dft(wide, wide)
    return spectrum


def _plane(spectrum: Plane, skip: int, shape: tuple[int, ...]) -> Plane:
    whole: Plane = cv2.idft(spectrum, spectrum, cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
    return whole[skip : skip + shape[0], skip : skip + shape[1]]


def _packed(half: Plane) -> Plane:
    """Weights of a half spectrum where OpenCV packs its real and imaginary parts.

    Inside, they are side by side. In the first and the last column, which are spectra of real
    columns themselves, they are one below the other.
    """
    rows, columns = half.shape[0], 2 * (half.shape[1] - 1)
    packed = np.empty((rows, columns), np.float32)
    packed[:, 1:-1:2] = packed[:, 2:-1:2] = half[:, 1:-1]
    below = (np.arange(rows) + 1) // 2
    packed[:, 0], packed[:, -1] = half[below, 0], half[below, -1]
    return packed
