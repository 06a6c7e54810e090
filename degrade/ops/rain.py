"""Rain between the scene and the camera."""

from typing import Annotated

import torch

from degrade.kernels import col, short_side, to_linear, to_srgb
from degrade.kernels.marks import boxes, how_many, scatter, stamp
from degrade.kernels.weather import pseudo_depth, skylight, veil
from degrade.params import Draw, FrameSeed, Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import uniform

_MOST = 100.0  # mm/h: the rate at which all streaks are there
_FOCAL = 1.2  # focal length in short sides of the frame
# Distance in metres and streaks per square of the short side, of layers from near to far.
_LAYERS = ((0.9, 80), (2.2, 660), (5.0, 3400))
_FALL = 6.5  # m/s, of drops of 2 mm
_THICK = 0.0036  # m: drop and its defocus


def _share_of_drops(rate: PerImage) -> PerImage:
    """Drops above 1 mm per cubic metre, as a share of those at the highest rate."""

    def count(r: torch.Tensor) -> torch.Tensor:
        # The Marshall-Palmer law N(D) = N0 exp(-4.1 R^-0.21 D), integrated from D = 1 mm on.
        slope = 4.1 * r.clamp(min=1e-4).pow(-0.21)
        return torch.exp(-slope) / slope

    return count(rate) / count(rate.new_tensor(_MOST))


def _streaks(
    x: Images, rate: PerImage, exposure: PerImage, slant: PerImage, seed: torch.Tensor
) -> torch.Tensor:
    """(B, 1, H, W): -ln of the share of the picture's light that streaks let through."""
    side = short_side(x)
    share = _share_of_drops(rate)[:, None]
    total = x.new_zeros(len(x), 1, *x.shape[-2:])
    for layer, (distance, density) in enumerate(_LAYERS):
        count = how_many(x, density)
        draw = uniform(seed, (len(x), 6, count), stream=layer)
        order = (torch.arange(count, device=x.device) + draw[:, 0]) / count
        on = ((share * 1.05 - order) * 20.0).clamp(0.0, 1.0)
        kept = max(1, int(((on > 0).sum(dim=1)).max())) if len(x) else 0
        on, draw = on[:, :kept], draw[:, :, :kept]
        # Drops of a layer differ in distance, and in size and so in speed.
        scale = _FOCAL * side / (distance * (0.75 + 0.6 * draw[:, 1]))
        length = _FALL * (0.8 + 0.4 * draw[:, 2]) * exposure[:, None] / 1000.0 * scale
        half_width = 0.5 * _THICK * (0.6 + 0.8 * draw[:, 2]) * scale
        lean = torch.tan(torch.deg2rad(slant[:, None] + 5.0 * (draw[:, 3] - 0.5)))
        columns, rows = scatter(draw[:, 4:], x, 0.15)
        # Thinner than a pixel is a pixel, and fainter.
        blur = half_width.clamp(min=0.7)
        faint = half_width / blur
        reach = (2.0 * float(blur.max() if kept else 0.0), 0.6 * float(length.max()) if kept else 0)
        where = boxes(x, columns, rows, reach, lean)
        across = (where.dx - where.dy * lean[..., None, None]) / (
            blur * (1.0 + lean.square()).sqrt()
        )[..., None, None]
        along = where.dy / (0.5 * length + 0.5)[..., None, None]
        # A drop is brightest in its middle; it fades in and out with the shutter.
        value = torch.exp(-across.square()) * (1.0 - along.square().square()).clamp(min=0.0)
        strength = on * faint * (0.35 + 0.5 * draw[:, 1])
        total = total + stamp(x, where, value * strength[..., None, None])
    return total


@operator(
    stage="environment",
    family="weather",
    refs=(
        "Garg & Nayar, IJCV 75, 2007, Vision and Rain: a falling drop is a streak as bright as the "
        "wide field of view that it refracts, and lets the background shine through",
        "Marshall & Palmer, J. Meteorology 5, 1948: sizes of raindrops by rate",
        "Ulbrich & Atlas, J. Atmos. Oceanic Tech. 2, 1985: extinction of light in rain",
    ),
)
def rain(
    x: Images,
    rate: Annotated[PerImage, Severity(0.0, _MOST, unit="mm/h", power=2.0)],
    exposure: Annotated[PerImage, Draw(10.0, 25.0, unit="ms", most=1000.0)],
    slant: Annotated[PerImage, Draw(-18.0, 18.0, unit="deg", drifts=True)],
    depth: Annotated[PerImage, Draw(200.0, 400.0, unit="m")],
    horizon: Annotated[PerImage, Draw(0.25, 0.5, unit="x height", most=0.99)],
    scene: Seed,
    seed: FrameSeed,
) -> Images:
    """Rain: streaks in three layers of depth, and the veil of the drops behind them.

    A streak is as long as its drop falls during the ``exposure``, divided by its distance, and
    leans by ``slant``, to the right on its way down. It shows the light of the sky and lets the
    rest through; near ones are larger and stronger than those far away. How many there are follows
    the Marshall-Palmer distribution at this ``rate``; they come one after another. Behind them is
    Koschmieder's law, with an extinction of 0.25 rate^0.63 per km, up to ``depth`` (see ``fog``).
    In linear light.
    """
    light = to_linear(x)
    sky = skylight(light)
    extinction = 0.25e-3 * rate.clamp(min=1e-6).pow(0.63)
    distance = pseudo_depth(x, horizon, scene) * col(depth)
    grey = sky.mean(dim=1, keepdim=True) * 0.8
    behind = veil(light, distance * col(extinction), grey.expand_as(sky))
    return to_srgb(veil(behind, _streaks(x, rate, exposure, slant, seed), sky))
