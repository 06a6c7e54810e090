"""Loss of colour."""

from typing import Annotated

from degrade.params import Images, PerImage, Severity, col
from degrade.registry import operator


@operator(
    stage="acquisition",
    family="color",
    off_scale="Colors fade and structure stays, as it should when saturation alone goes.",
    refs=(
        "Smith, SIGGRAPH 1978, Color Gamut Transform Pairs: the hexcone (HSV)",
        "Tang et al., Robust-R1, 2025, hsv_saturation: S times (1 - intensity)",
        "Lin, Hosu & Saupe, QoMEX 2019, KADID-10k: colour saturation 1",
    ),
)
def hsv_saturation(
    x: Images,
    factor: Annotated[PerImage, Severity(1.0, 0.0, unit="x saturation", most=1.0)],
) -> Images:
    """Loss of colour: the saturation of HSV times ``factor``, hue and value untouched.

    y = V - factor (V - x) with V = max(R, G, B) of the pixel. That is HSV to the letter, without
    the way through hue angles: V is the maximum still, S = 1 - min / max is multiplied by the
    factor, and hue, a ratio of differences of channels, does not change; nothing is rounded.

    HSV's own definition rather than a mix with luma, as the label promises it: other software
    agrees with it, and saturated colours wash out towards white as they lose colour, so that what
    told a red letter from white paper is lost with the red. A luma mix would keep that.
    """
    value = x.amax(dim=1, keepdim=True)
    return value.lerp(x, col(factor))
