"""White points: chromaticities of light and the adaptation from one to another."""

from __future__ import annotations

import torch

from degrade.params import PerImage

_TO_XYZ = (  # linear sRGB, IEC 61966-2-1
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_TO_CONES = (  # Bradford
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)


def planckian(mired: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """CIE 1960 (u, v) of a black body, by the rational fit of Krystek (1985) for 1000-15000 K.

    Args:
        mired: 1e6 / temperature in kelvin, any shape.
    """
    t = 1e6 / mired
    u = 0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t.square()
    u = u / (1.0 + 8.42420235e-4 * t + 7.08145163e-7 * t.square())
    v = 0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t.square()
    return u, v / (1.0 - 2.89741816e-5 * t + 1.61456053e-7 * t.square())


def light(mired: PerImage, duv: PerImage) -> torch.Tensor:
    """(B, 3) XYZ with Y = 1 of a light of this reciprocal temperature.

    Args:
        mired: (B,) reciprocal color temperature.
        duv: (B,) distance from the black body in CIE 1960 (u, v); greenish above 0, pink below.
    """
    u, v = planckian(mired)
    near = [planckian(mired + step) for step in (-1.0, 1.0)]
    du, dv = near[1][0] - near[0][0], near[1][1] - near[0][1]
    length = (du.square() + dv.square()).sqrt()
    u, v = u - duv * dv / length, v + duv * du / length
    below = 2.0 * v  # x = 3u / d and y = 2v / d with d = 2u - 8v + 4
    return torch.stack((3.0 * u / below, torch.ones_like(u), (4.0 - u - 10.0 * v) / below), dim=1)


def adaptation(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Matrices for linear sRGB that turn the one white into the other, by von Kries' rule.

    The cone responses of Bradford are each multiplied by a constant. Grey keeps its luminance.

    Args:
        source: (B, 3) XYZ of the light to adapt from.
        target: (B, 3) XYZ of the light to adapt to.

    Returns:
        (B, 3, 3).
    """
    to_xyz = torch.tensor(_TO_XYZ, dtype=torch.float64, device=source.device)
    to_cones = torch.tensor(_TO_CONES, dtype=torch.float64, device=source.device)
    there = to_cones @ to_xyz
    gains = (target.double() @ to_cones.T) / (source.double() @ to_cones.T)
    matrix = torch.linalg.inv(there) @ (gains[:, :, None] * there)
    luminance = (to_xyz[1] @ matrix).sum(dim=-1)
    scaled: torch.Tensor = matrix / luminance[:, None, None]
    return scaled.float()
