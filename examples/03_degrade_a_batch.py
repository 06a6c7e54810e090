"""Degrade a batch: one operator by name, then a whole recipe, then replay a record."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from degrade import ops, pipeline
from degrade.adapters import Degrade
from degrade.images import decode
from degrade.schema import describe

PHOTOS = Path(__file__).parent / "photos"


def load(name: str) -> Tensor:
    pixels = decode((PHOTOS / name).read_bytes(), max_pixels=10**8).pixels
    return pipeline.to_float(torch.from_numpy(pixels[:300, :400].copy()).permute(2, 0, 1))


batch = torch.stack([load("coffee.jpg"), load("rocket.jpg")])

# One operator: an intensity and a key per picture. The key decides angle, positions and noise.
blurred, records = ops.get("motion_blur")(batch, intensities=[0.3, 0.8], keys=["coffee", "rocket"])
print(records[0].model_dump_json(indent=1))

# A recipe: the id decides everything, whatever the batch, the worker or the device.
degraded, plans = Degrade("robust-r1", seed=7)(batch, ids=["coffee.jpg", "rocket.jpg"])
for plan in plans:
    print(describe(plan))

# A record replays.
again = pipeline.run(batch, plans)
assert torch.equal(again, degraded)

Image.fromarray(pipeline.to_uint8(degraded)[0].permute(1, 2, 0).numpy()).save("degraded.png")
