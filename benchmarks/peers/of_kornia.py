"""What kornia 0.9 has. Calls take (B, 3, H, W) float32 and use torch's threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

Call = Callable[[torch.Tensor], torch.Tensor]


def _kornia() -> Any:
    import kornia

    return kornia


def _augmentation(name: str, **options: Any) -> Call:
    return getattr(_kornia().augmentation, name)(p=1.0, **options)


def _enhanced(name: str, *arguments: Any) -> Call:
    """A function of kornia.enhance with the same arguments for every picture."""
    function = getattr(_kornia().enhance, name)
    return lambda x: function(x, *arguments)


def _with_factor(name: str, factor: float) -> Call:
    function = getattr(_kornia().enhance, name)
    return lambda x: function(x, torch.full((len(x),), factor))


def _in_turn(*makers: Callable[[], Call]) -> Call:
    """Each call gets an equal part of the batch: peers of operators that draw a kind."""
    calls = [make() for make in makers]

    def call(x: torch.Tensor) -> torch.Tensor:
        parts = x.tensor_split(len(calls))
        return torch.cat([c(part) for c, part in zip(calls, parts, strict=True) if len(part)])

    return call


def _disc(radius: float) -> torch.Tensor:
    reach = int(radius) + 1
    u = torch.arange(-reach, reach + 1.0)
    disc = (radius + 0.5 - torch.hypot(u[:, None], u)).clamp(0.0, 1.0)
    return (disc / disc.sum())[None]


def _defocus(filter_name: str) -> Call:
    function, kernel = getattr(_kornia().filters, filter_name), _disc(7.7)
    return lambda x: function(x, kernel.expand(len(x), -1, -1))


def _motion(taps: int) -> Call:
    function = _kornia().filters.motion_blur

    def call(x: torch.Tensor) -> torch.Tensor:
        angle = torch.rand(len(x)) * 180.0
        return function(x, taps, angle, torch.zeros(len(x)), mode="bilinear")

    return call


def _gaussian(taps: int, sigma: float) -> Call:
    function = _kornia().filters.gaussian_blur2d
    return lambda x: function(x, taps, (sigma, sigma))


def _jpeg() -> Call:
    codec = _kornia().enhance.jpeg_codec_differentiable
    return lambda x: codec(x, torch.full((len(x),), 14.0))


def _chroma_blur() -> Call:
    kornia = _kornia()

    def call(x: torch.Tensor) -> torch.Tensor:
        lab = kornia.color.rgb_to_lab(x)
        sigma = torch.full((len(x), 2), 20.0)
        diffused = kornia.filters.gaussian_blur2d(lab[:, 1:], 121, sigma)
        return kornia.color.lab_to_rgb(torch.cat([lab[:, :1], diffused], 1))

    return call


def _unsharp() -> Call:
    function = _kornia().filters.unsharp_mask
    return lambda x: function(x, 7, (1.5, 1.5))


def _resized(scale: float, up: str) -> Call:
    resize = _kornia().geometry.resize

    def call(x: torch.Tensor) -> torch.Tensor:
        size = (round(x.shape[-2] * scale), round(x.shape[-1] * scale))
        small = resize(x, size, interpolation="area")
        return resize(small, tuple(x.shape[-2:]), interpolation=up)

    return call


def _sepia() -> Call:
    return _kornia().color.sepia_from_rgb


_elastic = partial(_augmentation, "RandomElasticTransform")
_darker = {"gain": (0.3, 0.3), "sign": (-1.0, -1.0)}
_middle = {"center": (0.5, 0.5), "sigma": (0.5, 0.5), "gain": (0.4, 0.4), "sign": (1.0, 1.0)}

CALLS: dict[str, list[tuple[str, Callable[[], Call]]]] = {
    "atmospheric_turbulence": [
        (
            "RandomElasticTransform, 31 taps, sigma 5",
            partial(_elastic, kernel_size=(31, 31), sigma=(5.0, 5.0), alpha=(0.15, 0.15)),
        )
    ],
    "block_exchange": [
        ("RandomJigsaw, 16x16", partial(_augmentation, "RandomJigsaw", grid=(16, 16)))
    ],
    "brightness_shift": [
        ("adjust_brightness, 0.25", partial(_with_factor, "adjust_brightness", 0.25))
    ],
    "camera_shake": [("motion_blur, 17 px", partial(_motion, 17))],
    "channel_error": [
        (
            "RandomChannelShuffle / RandomChannelDropout",
            partial(
                _in_turn,
                partial(_augmentation, "RandomChannelShuffle"),
                partial(_augmentation, "RandomChannelDropout"),
            ),
        )
    ],
    "color_diffusion": [("rgb_to_lab, gaussian_blur2d of ab at 20 px, lab_to_rgb", _chroma_blur)],
    "color_filter": [
        (
            "adjust_hue / RandomGrayscale / sepia_from_rgb / solarize",
            partial(
                _in_turn,
                partial(_with_factor, "adjust_hue", 0.7),
                partial(_augmentation, "RandomGrayscale"),
                _sepia,
                partial(_enhanced, "solarize", 0.75),
            ),
        )
    ],
    "contrast_loss": [
        (
            "adjust_contrast_with_mean_subtraction, 0.37",
            partial(_with_factor, "adjust_contrast_with_mean_subtraction", 0.37),
        )
    ],
    "dark_illumination": [
        (
            "adjust_brightness_accumulative, 0.5",
            partial(_with_factor, "adjust_brightness_accumulative", 0.5),
        )
    ],
    "elastic_warp": [
        (
            "RandomElasticTransform, 63 taps, sigma 15",
            partial(_elastic, kernel_size=(63, 63), sigma=(15.0, 15.0), alpha=(1.13, 1.13)),
        )
    ],
    "equalize": [
        (
            "equalize / equalize_clahe, 6 / RandomAutoContrast",
            partial(
                _in_turn,
                partial(_enhanced, "equalize"),
                partial(_enhanced, "equalize_clahe", 6.0),
                partial(_augmentation, "RandomAutoContrast"),
            ),
        )
    ],
    "exposure_error": [
        (
            "adjust_brightness_accumulative, 1.88 / 0.53",
            partial(
                _in_turn,
                partial(_with_factor, "adjust_brightness_accumulative", 1.88),
                partial(_with_factor, "adjust_brightness_accumulative", 0.53),
            ),
        )
    ],
    "fog": [
        (
            "RandomPlasmaBrightness, 0.9",
            partial(
                _augmentation,
                "RandomPlasmaBrightness",
                roughness=(0.3, 0.3),
                intensity=(0.9, 0.9),
            ),
        )
    ],
    "gaussian_blur": [("gaussian_blur2d, 29 taps, 4.9 px", partial(_gaussian, 29, 4.9))],
    "gaussian_noise": [
        ("RandomGaussianNoise, 0.15", partial(_augmentation, "RandomGaussianNoise", std=0.15))
    ],
    "geometric_edit": [
        (
            "RandomRotation / RandomShear / RandomPerspective / RandomTranslate",
            partial(
                _in_turn,
                partial(_augmentation, "RandomRotation", degrees=(5.3, 5.3)),
                partial(_augmentation, "RandomShear", shear=(3.0, 3.0)),
                partial(_augmentation, "RandomPerspective", distortion_scale=0.1),
                partial(_augmentation, "RandomTranslate", translate_x=(0.026, 0.026)),
            ),
        )
    ],
    "hsv_saturation": [("adjust_saturation, 0.5", partial(_with_factor, "adjust_saturation", 0.5))],
    "impulse_noise": [
        (
            "RandomSaltAndPepperNoise, 0.0124",
            partial(_augmentation, "RandomSaltAndPepperNoise", amount=(0.0124, 0.0124)),
        )
    ],
    "jpeg_compression": [("jpeg_codec_differentiable, quality 14", _jpeg)],
    "lens_blur": [
        ("filter2d, disc of 7.7 px", partial(_defocus, "filter2d")),
        ("fft_conv, disc of 7.7 px", partial(_defocus, "fft_conv")),
    ],
    # Magnifies by 1 + r^gamma, r = 1 at the edge: there is no weak one.
    "lens_distortion": [
        (
            "RandomFisheye, gamma 8",
            partial(
                _augmentation,
                "RandomFisheye",
                center_x=torch.tensor([-0.01, 0.01]),
                center_y=torch.tensor([-0.01, 0.01]),
                gamma=torch.tensor([8.0, 8.01]),
            ),
        )
    ],
    "low_resolution": [("resize by 0.28, area, and bilinear", partial(_resized, 0.28, "bilinear"))],
    "motion_blur": [("motion_blur, 25 px", partial(_motion, 25))],
    "occlusion": [
        ("RandomErasing, 0.3", partial(_augmentation, "RandomErasing", scale=(0.3, 0.3)))
    ],
    "over_saturation": [
        ("adjust_saturation, 2.77", partial(_with_factor, "adjust_saturation", 2.77))
    ],
    "pixelate": [("resize by 0.28, area, and nearest", partial(_resized, 0.28, "nearest"))],
    "quantization": [("posterize, 3 bits", partial(_enhanced, "posterize", 3))],
    "rain": [
        (
            "RandomRain, 2000 drops",
            partial(
                _augmentation,
                "RandomRain",
                number_of_drops=(2000, 2000),
                drop_height=(5, 20),
                drop_width=(-3, 3),
            ),
        )
    ],
    "shadow": [
        (
            "RandomPlasmaShadow",
            partial(_augmentation, "RandomPlasmaShadow", shade_intensity=(-0.25, -0.25)),
        )
    ],
    "sharpness_change": [
        ("sharpness, 12", partial(_with_factor, "sharpness", 12.0)),
        ("unsharp_mask, 7 taps", _unsharp),
    ],
    "snow": [
        ("RandomSnow, 0.3", partial(_augmentation, "RandomSnow", snow_coefficient=(0.3, 0.3)))
    ],
    "tone_curve": [
        (
            "adjust_sigmoid / adjust_gamma, 0.5 / adjust_gamma, 2",
            partial(
                _in_turn,
                partial(_enhanced, "adjust_sigmoid", 0.5, 10.0),
                partial(_with_factor, "adjust_gamma", 0.5),
                partial(_with_factor, "adjust_gamma", 2.0),
            ),
        )
    ],
    "uneven_illumination": [
        (
            "RandomLinearIllumination / RandomGaussianIllumination",
            partial(
                _in_turn,
                partial(_augmentation, "RandomLinearIllumination", **_darker),
                partial(_augmentation, "RandomGaussianIllumination", **_darker),
            ),
        )
    ],
    "vignetting": [
        (
            "RandomGaussianIllumination, middle",
            partial(_augmentation, "RandomGaussianIllumination", **_middle),
        )
    ],
    "white_balance_error": [
        ("RandomPlanckianJitter", partial(_augmentation, "RandomPlanckianJitter"))
    ],
}
"""By operator the ways to do it, in words, and what makes the call."""
