"""What imagecorruptions 1.1.2 has: the corruptions of ImageNet-C for pictures of any size."""

from __future__ import annotations

import importlib
import importlib.resources
import sys
from collections.abc import Callable
from itertools import cycle
from types import ModuleType
from typing import Any

Corruption = tuple[str, int]
"""Name and severity."""

CALLS: dict[str, list[list[Corruption]]] = {
    "atmospheric_turbulence": [[("elastic_transform", 3)], [("glass_blur", 3)]],
    "brightness_shift": [[("brightness", 2)]],  # 0.2; ours 0.25
    "camera_shake": [[("motion_blur", 2)]],  # a straight path: 31 taps, sigma 5
    "contrast_loss": [[("contrast", 1)]],  # x 0.4; ours x 0.37
    "dirty_lens": [[("spatter", 3)]],
    "elastic_warp": [[("elastic_transform", 3)]],
    "fog": [[("fog", 4)]],
    "frost": [[("frost", 1)]],
    "gaussian_blur": [[("gaussian_blur", 4)]],  # sigma 4 px; ours 4.9
    "gaussian_noise": [[("gaussian_noise", 3)]],  # sigma 0.18; ours 0.15, severity 2 is 0.12
    "glass_blur": [[("glass_blur", 3)]],
    "hsv_saturation": [[("saturate", 1)]],  # saturation x 0.3; ours x 0.5, severity 2 is x 0.1
    "impulse_noise": [[("impulse_noise", 1)]],  # 0.03; ours 0.012
    "jpeg_compression": [[("jpeg_compression", 3)]],  # quality 15; ours 14
    "lens_blur": [[("defocus_blur", 4)]],  # radius 8 px; ours 7.7
    "motion_blur": [[("motion_blur", 3)]],  # 31 taps of a half Gaussian, sigma 8; ours 25.6 px even
    "over_saturation": [[("saturate", 3)]],  # x 2; ours x 2.8
    "pixelate": [[("pixelate", 4)]],  # 0.3; ours 0.28
    "shot_noise": [[("shot_noise", 1)]],  # 60 photons; ours 300
    "snow": [[("snow", 1)]],
    "spatter": [[("spatter", 3), ("spatter", 4)]],  # water, mud
    "speckle_noise": [[("speckle_noise", 1)]],  # 0.15; ours 0.064
    "zoom_blur": [[("zoom_blur", 1)]],  # to 1.10; ours to 1.07
}
"""By operator the ways to do it. Of several corruptions in one, each picture meets the next: these
are peers of operators that draw a kind."""


def what(corruptions: list[Corruption]) -> str:
    """The corruptions as words."""
    return " / ".join(f"{name}, severity {severity}" for name, severity in corruptions)


def make(corruptions: list[Corruption]) -> Callable[[Any], Any]:
    """A call on (H, W, 3) uint8."""
    _provide_removed_modules()
    from imagecorruptions import corrupt
    from imagecorruptions import corruptions as functions

    functions.gaussian = _gaussian
    functions.np.float_ = functions.np.float64  # gone from NumPy 2
    turns = cycle(corruptions)

    def call(image: Any) -> Any:
        name, severity = next(turns)
        return corrupt(image, severity=severity, corruption_name=name)

    return call


def _gaussian(image: Any, sigma: Any, *, multichannel: bool = False, **options: Any) -> Any:
    """scikit-image's filter under the argument that scikit-image 0.26 no longer has."""
    from skimage.filters import gaussian

    return gaussian(image, sigma, channel_axis=-1 if multichannel else None, **options)


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
