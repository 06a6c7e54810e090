"""The table of peers: per operator, what means the same elsewhere, at a comparable strength.

Ours is measured at intensity 0.5 on 512x512; the numbers beside each peer are chosen to do about as
much (the RMSE against the clean picture is printed with every row). Without a row of its own an
operator has no counterpart in that library. Libraries are imported when a peer is made, so that a
missing one costs its rows and not the run.
"""

from __future__ import annotations

import importlib
import importlib.resources
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from types import ModuleType
from typing import Any

import torch

from degrade import published
from degrade.published.draws import Draws
from degrade.schema import PUBLISHED

FORMULAS = {name.removeprefix(PUBLISHED): published.get(name) for name in published.names()}
"""The released formulas, by the operator they are a peer of."""

Call = Callable[[Any], Any]

PUBLISHED_INTENSITY = {
    "lens_blur": 0.6,
    "lens_flare": 0.6,
    "block_exchange": 0.9,
    "motion_blur": 0.6,  # a diagonal of 18 px is 25 px long, ours is 25.6 px
    "jpeg_compression": 0.93,  # quality 11, as ours
    "dark_illumination": 0.75,  # x 0.44; ours, 2.25 EV in linear light, about as much, and noise
}
"""Where the published intensity 0.5 is something else than ours, by the parameter or the RMSE."""

CORRUPTIONS = {
    "lens_blur": [("defocus_blur", 4)],  # radius 8 px; ours 7.7
    "motion_blur": [("motion_blur", 3)],  # 31 taps of a half Gaussian, sigma 8; ours 25.6 px even
    "dirty_lens": [("spatter", 3)],
    "hsv_saturation": [("saturate", 1)],  # saturation x 0.3; ours x 0.5, severity 2 is x 0.1
    "jpeg_compression": [("jpeg_compression", 4)],  # quality 10; ours 11
    "atmospheric_turbulence": [("elastic_transform", 3), ("glass_blur", 3)],
    "gaussian_noise": [("gaussian_noise", 3)],  # sigma 0.18; ours 0.15, severity 2 is 0.12
}
"""imagecorruptions: names and severities."""


@dataclass(frozen=True)
class Peer:
    """One way to do what an operator does.

    Attributes:
        library: Where it comes from.
        what: The call, with its parameters.
        make: Imports the library and returns the call.
        batched: The call takes (B, 3, H, W) float32 and uses torch's threads, not (H, W, 3) uint8.
    """

    library: str
    what: str
    make: Callable[[], Call]
    batched: bool = False


def peers(operator: str) -> Iterator[Peer]:
    """All peers of an operator."""
    if operator in FORMULAS:
        i = PUBLISHED_INTENSITY.get(operator, 0.5)
        yield Peer("published", f"OpenCV, intensity {i}", partial(_published, operator, i))
    for name, severity in CORRUPTIONS.get(operator, ()):
        what = f"{name}, severity {severity}"
        yield Peer("imagecorruptions", what, partial(_corruption, name, severity))
    for name, options in ALBUMENTATIONS.get(operator, ()):
        what = ", ".join([name, *(f"{k}={v}" for k, v in options.items())])
        yield Peer("albumentations", what, partial(_albumentation, name, options))
    for what, make in KORNIA.get(operator, ()):
        yield Peer("kornia", what, make, batched=True)


def _published(name: str, intensity: float) -> Call:
    peer, seeds = FORMULAS[name], count()
    if not peer.arguments:
        return lambda image: peer.formula(image, intensity)
    return lambda image: peer.formula(image, intensity, Draws(next(seeds)))


# -------------------------------------------------------------------------- imagecorruptions


def _corruption(name: str, severity: int) -> Call:
    _provide_removed_modules()
    from imagecorruptions import corrupt

    return lambda image: corrupt(image, severity=severity, corruption_name=name)


def _provide_removed_modules() -> None:
    """Stand-ins for what imagecorruptions 1.1.2 imports and current libraries no longer have.

    ``pkg_resources`` left setuptools with version 82; only ``resource_filename`` is used, for the
    pictures of frost. ``scipy.ndimage.interpolation`` is deprecated; its functions moved one up.
    """
    try:
        importlib.import_module("pkg_resources")
    except ImportError:
        resources = ModuleType("pkg_resources")
        resources.resource_filename = lambda package, path: str(  # type: ignore[attr-defined]
            importlib.resources.files(package.split(".")[0]) / path
        )
        sys.modules["pkg_resources"] = resources
    sys.modules.setdefault("scipy.ndimage.interpolation", importlib.import_module("scipy.ndimage"))


# ---------------------------------------------------------------------------- albumentations

ALBUMENTATIONS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "lens_blur": [("Defocus", {"radius": (8, 8), "alias_blur": (0.1, 0.1)})],
    "lens_flare": [
        ("RandomSunFlare", {"method": "physics_based", "src_radius": 150}),
        ("RandomSunFlare", {"method": "overlay", "src_radius": 150}),
    ],
    "motion_blur": [("MotionBlur", {"blur_limit": (25, 25)})],
    "dirty_lens": [("Spatter", {"mode": "mud"})],
    "hsv_saturation": [
        (
            "ColorJitter",
            {"brightness": (1, 1), "contrast": (1, 1), "saturation": (0.5, 0.5), "hue": (0, 0)},
        ),
        (
            "HueSaturationValue",
            {"hue_shift_limit": (0, 0), "sat_shift_limit": (-75, -75), "val_shift_limit": (0, 0)},
        ),
    ],
    "jpeg_compression": [("ImageCompression", {"quality_range": (11, 11)})],
    # Shuffles every block, ours exchanges 30 % of them: there is no option for a share.
    "block_exchange": [("RandomGridShuffle", {"grid": (16, 16)})],
    "dark_illumination": [
        (
            "RandomBrightnessContrast",
            {"brightness_limit": (-0.35, -0.35), "contrast_limit": (0, 0)},
        ),
        ("RandomGamma", {"gamma_limit": (300, 300)}),
    ],
    "atmospheric_turbulence": [("ElasticTransform", {"alpha": 110, "sigma": 5})],
    "gaussian_noise": [("GaussNoise", {"std_range": (0.15, 0.15)})],
    "sharpness_change": [
        ("Sharpen", {"alpha": (1, 1), "lightness": (1, 1)}),
        ("UnsharpMask", {"blur_limit": (7, 7), "alpha": (1, 1), "threshold": 0}),
    ],
}


def _albumentation(name: str, options: dict[str, Any]) -> Call:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its version otherwise
    import albumentations

    transform = getattr(albumentations, name)(p=1.0, **options)
    return lambda image: transform(image=image)["image"]


# ------------------------------------------------------------------------------------ kornia


def _disc(radius: float) -> torch.Tensor:
    reach = int(radius) + 1
    u = torch.arange(-reach, reach + 1.0)
    disc = (radius + 0.5 - torch.hypot(u[:, None], u)).clamp(0.0, 1.0)
    return (disc / disc.sum())[None]


def _defocus(filter_name: str) -> Call:
    import kornia

    function, kernel = getattr(kornia.filters, filter_name), _disc(7.7)
    return lambda x: function(x, kernel.expand(len(x), -1, -1))


def _motion() -> Call:
    import kornia

    def call(x: torch.Tensor) -> torch.Tensor:
        angle = torch.rand(len(x)) * 180.0
        return kornia.filters.motion_blur(x, 25, angle, torch.zeros(len(x)), mode="bilinear")

    return call


def _with_factor(name: str, factor: float) -> Call:
    import kornia

    function = getattr(kornia.enhance, name)
    return lambda x: function(x, torch.full((len(x),), factor))


def _augmentation(name: str, **options: Any) -> Call:
    import kornia

    return getattr(kornia.augmentation, name)(p=1.0, **options)


def _jpeg() -> Call:
    import kornia

    codec = kornia.enhance.jpeg_codec_differentiable
    return lambda x: codec(x, torch.full((len(x),), 11.0))


def _chroma_blur() -> Call:
    import kornia

    def call(x: torch.Tensor) -> torch.Tensor:
        lab = kornia.color.rgb_to_lab(x)
        sigma = torch.full((len(x), 2), 20.0)
        diffused = kornia.filters.gaussian_blur2d(lab[:, 1:], 121, sigma)
        return kornia.color.lab_to_rgb(torch.cat([lab[:, :1], diffused], 1))

    return call


def _unsharp() -> Call:
    import kornia

    return lambda x: kornia.filters.unsharp_mask(x, 7, (1.5, 1.5))


KORNIA: dict[str, list[tuple[str, Callable[[], Call]]]] = {
    "lens_blur": [
        ("filter2d, disc of 7.7 px", partial(_defocus, "filter2d")),
        ("fft_conv, disc of 7.7 px", partial(_defocus, "fft_conv")),
    ],
    "motion_blur": [("motion_blur, 25 px", _motion)],
    "hsv_saturation": [("adjust_saturation, 0.5", partial(_with_factor, "adjust_saturation", 0.5))],
    "jpeg_compression": [("jpeg_codec_differentiable, quality 11", _jpeg)],
    "block_exchange": [
        ("RandomJigsaw, 16x16", partial(_augmentation, "RandomJigsaw", grid=(16, 16)))
    ],
    "dark_illumination": [
        (
            "adjust_brightness_accumulative, 0.5",
            partial(_with_factor, "adjust_brightness_accumulative", 0.5),
        )
    ],
    "atmospheric_turbulence": [
        (
            "RandomElasticTransform, 31 taps, sigma 5",
            partial(
                _augmentation,
                "RandomElasticTransform",
                kernel_size=(31, 31),
                sigma=(5.0, 5.0),
                alpha=(0.15, 0.15),
            ),
        )
    ],
    "gaussian_noise": [
        ("RandomGaussianNoise, 0.15", partial(_augmentation, "RandomGaussianNoise", std=0.15))
    ],
    "color_diffusion": [("rgb_to_lab, gaussian_blur2d of ab at 20 px, lab_to_rgb", _chroma_blur)],
    "sharpness_change": [
        ("sharpness, 3", partial(_with_factor, "sharpness", 3.0)),
        ("unsharp_mask, 7 taps", _unsharp),
    ],
}

PEERS: frozenset[str] = frozenset().union(FORMULAS, CORRUPTIONS, ALBUMENTATIONS, KORNIA)
"""Operators with a peer."""
