"""The noise of low light is that of the electrons that are left."""

from __future__ import annotations

import pytest
import torch

from degrade import ops
from degrade.kernels import to_linear


@pytest.mark.parametrize("intensity", [0.2, 0.5])
def test_light_and_noise_follow_the_sensor_model(intensity: float) -> None:
    x = torch.full((1, 3, 256, 256), 0.9)
    y, (record,) = ops.get("dark_illumination")(x, [intensity], ["k"])
    value = {p.name: p.value for p in record.params}
    light = float(to_linear(x[0, 0, 0, 0])) * 2.0 ** -value["ev"]
    seen = to_linear(y)
    assert float(seen.mean()) == pytest.approx(light, rel=0.002)
    variance = light / value["full_well"] + (2.0 / value["full_well"]) ** 2
    assert float(seen.var()) == pytest.approx(variance, rel=0.03)
