"""What albumentations 2.0.8 has."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2

Options = dict[str, Any]
Transform = tuple[str, Options]
"""A class and its arguments; ``p=1`` is added."""

_REFLECT = {"border_mode": cv2.BORDER_REFLECT_101}
_AREA_LINEAR = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}
_AREA_NEAREST = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_NEAREST}


def _hole(share: float) -> Options:
    """One hole of a share of the area."""
    side = (math.sqrt(share), math.sqrt(share))
    return {"num_holes_range": (1, 1), "hole_height_range": side, "hole_width_range": side}


def _contrast(change: float) -> Transform:
    """Values times 1 + change."""
    limits = {"brightness_limit": (0, 0), "contrast_limit": (change, change)}
    return ("RandomBrightnessContrast", limits)


def _jitter(contrast: float = 1.0, saturation: float = 1.0) -> Transform:
    factors = {"brightness": 1.0, "contrast": contrast, "saturation": saturation, "hue": 0.0}
    return ("ColorJitter", {name: (factor, factor) for name, factor in factors.items()})


def _hsv(hue: int = 0, saturation: int = 0, value: int = 0) -> Transform:
    limits = {"hue_shift_limit": hue, "sat_shift_limit": saturation, "val_shift_limit": value}
    return ("HueSaturationValue", {name: (shift, shift) for name, shift in limits.items()})


def _light(mode: str, effect: str) -> Transform:
    """``intensity_range`` ends at 0.2."""
    return (
        "Illumination",
        {"mode": mode, "effect_type": effect, "intensity_range": (0.2, 0.2)},
    )


CALLS: dict[str, list[list[Transform]]] = {
    "atmospheric_turbulence": [[("ElasticTransform", {"alpha": 110, "sigma": 5})]],
    # Shuffles every block, ours exchanges 25 % of them: there is no option for a share.
    "block_exchange": [[("RandomGridShuffle", {"grid": (16, 16)})]],
    "block_loss": [
        [
            (
                "CoarseDropout",  # as much area in runs of 6 blocks, in no bursts
                {
                    "num_holes_range": (36, 36),
                    "hole_height_range": (16, 16),
                    "hole_width_range": (96, 96),
                    "fill": 127,
                },
            )
        ]
    ],
    "brightness_shift": [
        [("RandomBrightnessContrast", {"brightness_limit": (d, d), "contrast_limit": (0, 0)})]
        for d in (0.25, -0.25)
    ]
    + [[_hsv(value=64)]],
    # A path with one bend at most.
    "camera_shake": [[("MotionBlur", {"blur_limit": (17, 17)})]],
    "channel_error": [[("ChannelShuffle", {}), ("ChannelDropout", {})]],  # no shift of a channel
    "chromatic_aberration": [
        [
            (
                "ChromaticAberration",
                {
                    "primary_distortion_limit": (0.05, 0.05),
                    "secondary_distortion_limit": (0.03, 0.03),
                    "mode": "red_blue",
                },
            )
        ]
    ],
    "color_filter": [
        [
            _hsv(hue=20),
            ("ToGray", {}),
            ("ToSepia", {}),
            ("Solarize", {"threshold_range": (0.75, 0.75)}),
        ]
    ],
    "contrast_loss": [[_jitter(contrast=0.37)]],
    "dark_illumination": [
        [("RandomBrightnessContrast", {"brightness_limit": (-0.35, -0.35), "contrast_limit": 0})],
        [("RandomGamma", {"gamma_limit": (300, 300)})],
    ],
    "dirty_lens": [[("Spatter", {"mode": "mud"})]],
    "elastic_warp": [
        [("ElasticTransform", {"alpha": 600, "sigma": 15} | _REFLECT)],
        [("ElasticTransform", {"alpha": 200, "sigma": 15, "approximate": True} | _REFLECT)],
    ],
    "equalize": [
        [("Equalize", {}), ("CLAHE", {"clip_limit": (6, 6)}), ("AutoContrast", {"cutoff": 17})]
    ],
    "exposure_error": [[_contrast(0.88), _contrast(-0.47)]],
    "fog": [[("RandomFog", {"fog_coef_range": (0.9, 0.9)})]],
    "gaussian_blur": [[("GaussianBlur", {"sigma_limit": (4.9, 4.9)})]],
    "gaussian_noise": [[("GaussNoise", {"std_range": (0.15, 0.15)})]],
    "geometric_edit": [
        [
            ("Affine", {"rotate": (5.3, 5.3)} | _REFLECT),
            ("Affine", {"shear": (3, 3)} | _REFLECT),
            ("Perspective", {"scale": (0.035, 0.035)} | _REFLECT),
            ("Affine", {"translate_px": (-13, 13)} | _REFLECT),
        ]
    ],
    "glass_blur": [
        [("GlassBlur", {"sigma": 0.7, "max_delta": 2, "iterations": 2, "mode": mode})]
        for mode in ("fast", "exact")
    ],
    "hsv_saturation": [[_jitter(saturation=0.5)], [_hsv(saturation=-75)]],
    "impulse_noise": [[("SaltAndPepper", {"amount": (0.0124, 0.0124)})]],
    "iso_noise": [[("ISONoise", {"color_shift": (0.02, 0.02), "intensity": (0.2, 0.2)})]],
    "jpeg_compression": [[("ImageCompression", {"quality_range": (14, 14)})]],
    "lens_blur": [[("Defocus", {"radius": (8, 8), "alias_blur": (0.1, 0.1)})]],
    "lens_distortion": [
        [("OpticalDistortion", {"distort_limit": (0.05, 0.05), "mode": mode} | _REFLECT)]
        for mode in ("camera", "fisheye")
    ],
    "lens_flare": [
        [("RandomSunFlare", {"method": method, "src_radius": 150})]
        for method in ("physics_based", "overlay")
    ],
    "low_resolution": [
        [("Downscale", {"scale_range": (0.28, 0.28), "interpolation_pair": _AREA_LINEAR})]
    ],
    "motion_blur": [[("MotionBlur", {"blur_limit": (25, 25)})]],
    "occlusion": [
        [
            ("CoarseDropout", _hole(0.3) | {"fill": 127}),
            ("CoarseDropout", _hole(0.3) | {"fill": "random"}),
            ("GridDropout", {"ratio": math.sqrt(0.3), "unit_size_range": (64, 65)}),
        ]
    ],
    "over_saturation": [[_jitter(saturation=2.77)], [_hsv(saturation=100)]],
    "pixelate": [
        [("Downscale", {"scale_range": (0.28, 0.28), "interpolation_pair": _AREA_NEAREST})]
    ],
    "quantization": [[("Posterize", {"num_bits": 3})]],
    "rain": [[("RandomRain", {"rain_type": "heavy"})]],
    # The lowest cutoff that it takes is pi / 4; ours is at 0.53.
    "ringing": [[("RingingOvershoot", {"blur_limit": (21, 21), "cutoff": (0.786, 0.786)})]],
    "shadow": [
        [("RandomShadow", {"shadow_intensity_range": (0.5, 0.5)})],
        [("PlasmaShadow", {"shadow_intensity_range": (0.5, 0.5)})],
    ],
    "sharpness_change": [
        [("Sharpen", {"alpha": (1, 1), "lightness": (1, 1)})],
        [("UnsharpMask", {"blur_limit": (7, 7), "alpha": (1, 1), "threshold": 0})],
    ],
    "shot_noise": [[("ShotNoise", {"scale_range": (0.003, 0.003)})]],
    "snow": [
        [("RandomSnow", {"snow_point_range": (0.2, 0.2), "method": method})]
        for method in ("bleach", "texture")
    ],
    "spatter": [[("Spatter", {"mode": "rain"}), ("Spatter", {"mode": "mud"})]],
    "speckle_noise": [
        [
            (
                "MultiplicativeNoise",
                {"multiplier": (0.89, 1.11), "per_channel": True, "elementwise": True},
            )
        ]
    ],
    "tone_curve": [
        [
            ("RandomGamma", {"gamma_limit": (200, 200)}),
            ("RandomGamma", {"gamma_limit": (50, 50)}),
            ("RandomToneCurve", {"scale": 0.5}),
        ]
    ],
    "uneven_illumination": [[_light("linear", "both"), _light("gaussian", "both")]],
    "vignetting": [[_light("gaussian", "brighten")]],  # brighter in the middle is darker around
    "webp_compression": [
        [("ImageCompression", {"quality_range": (1, 1), "compression_type": "webp"})]
    ],
    "white_balance_error": [
        [("PlanckianJitter", {"mode": "blackbody"})],
        [
            (
                "RGBShift",
                {"r_shift_limit": (30, 30), "g_shift_limit": (0, 0), "b_shift_limit": (-30, -30)},
            )
        ],
    ],
    "zoom_blur": [[("ZoomBlur", {"max_factor": (1.067, 1.067), "step_factor": (0.01, 0.01)})]],
}
"""By operator the ways to do it. Of several transforms in one, each picture meets the next: these
are peers of operators that draw a kind."""


def what(transforms: list[Transform]) -> str:
    """The transforms as words."""
    calls = ([name, *(f"{k}={v}" for k, v in options.items())] for name, options in transforms)
    return " / ".join(", ".join(call) for call in calls)


def _library() -> ModuleType:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its version otherwise
    import albumentations

    return albumentations


def make(transforms: list[Transform]) -> Callable[[Any], Any]:
    """A call on (H, W, 3) uint8."""
    library = _library()
    turns = cycle([getattr(library, name)(p=1.0, **options) for name, options in transforms])
    return lambda image: next(turns)(image=image)["image"]


# ------------------------------------------------------- what takes more than one class's name


def _bordered() -> Callable[[Any], Any]:
    library = _library()
    crop = library.CenterCrop(430, 430, p=1.0)
    both = library.Compose([crop, library.PadIfNeeded(512, 512, fill=255, p=1.0)])
    return lambda image: both(image=image)["image"]


def _text(box: tuple[float, float, float, float], text: str) -> Callable[[Any], Any]:
    """Opaque: it has no transparency. In the font that comes with Pillow, as ours."""
    from PIL import ImageFont

    font = ImageFont.load_default(20)
    file = Path(tempfile.gettempdir()) / f"benchmark_font_{os.getuid()}.ttf"
    file.write_bytes(font.font_bytes)  # type: ignore[union-attr]
    transform = _library().TextImage(font_path=str(file), font_color=(255, 255, 0), p=1.0)
    told = {"text": text, "bbox": box}
    return lambda image: transform(image=image, textimage_metadata=told)["image"]


MADE: dict[str, list[tuple[str, Callable[[], Callable[[Any], Any]]]]] = {
    "border": [("CenterCrop and PadIfNeeded, 41 px", _bordered)],
    "text_overlay": [
        (
            "TextImage, a line",
            partial(_text, (0.05, 0.4, 0.95, 0.65), "The train leaves at half past nine"),
        )
    ],
    "watermark": [("TextImage, a word", partial(_text, (0.2, 0.4, 0.8, 0.55), "SAMPLE"))],
}
