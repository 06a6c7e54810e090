"""Inside a kornia pipeline: geometry by kornia, damage by a recipe, on batches of tensors."""

from pathlib import Path

import kornia.augmentation as K
import torch
from torch import nn

from degrade import pipeline
from degrade.adapters import Degrade, DegradeImages
from degrade.images import decode

PHOTOS = Path(__file__).parent / "photos"

pixels = decode((PHOTOS / "cat.jpg").read_bytes(), max_pixels=10**8, max_side=320).pixels
picture = pipeline.to_float(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
batch = picture.expand(4, -1, -1, -1)  # (4, 3, H, W), sRGB in [0, 1]

augment = nn.Sequential(
    K.RandomCrop((160, 160)),
    K.RandomHorizontalFlip(p=0.5),
    DegradeImages(Degrade("camera-chain", seed=3)),
)

# Crops, flips and ids are drawn from torch's generator: its seed decides.
torch.manual_seed(0)
first = augment(batch)
torch.manual_seed(0)
again = augment(batch)

assert first.shape == (4, 3, 160, 160)
assert torch.equal(first, again)
assert not torch.equal(first[0], first[1])
print(f"mean of each picture: {[round(float(m), 3) for m in first.mean(dim=(1, 2, 3))]}")
