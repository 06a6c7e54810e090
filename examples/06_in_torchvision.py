"""Inside a torchvision v2 pipeline. Needs torchvision, which degrade itself does not."""

from pathlib import Path

import torch
from torchvision.transforms import v2

from degrade.adapters import Degrade, DegradeImages
from degrade.images import decode

PHOTOS = Path(__file__).parent / "photos"

transform = v2.Compose(
    [
        v2.RandomCrop(160),
        v2.RandomHorizontalFlip(p=0.5),
        DegradeImages(Degrade("robust-r1", seed=3)),  # uint8 in, uint8 out
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)

pixels = decode((PHOTOS / "boats.jpg").read_bytes(), max_pixels=10**8, max_side=320).pixels
picture = torch.from_numpy(pixels.copy()).permute(2, 0, 1)

# Crops, flips and ids are drawn from torch's generator: its seed decides.
torch.manual_seed(0)
first = transform(picture)
torch.manual_seed(0)
again = transform(picture)

assert first.shape == (3, 160, 160)
assert torch.equal(first, again)
print(f"mean {float(first.mean()):.3f}")
