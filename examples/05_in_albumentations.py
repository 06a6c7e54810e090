"""Inside an albumentations pipeline (2.0.8): pictures in, pictures and their records out."""

from pathlib import Path

import albumentations as A
import numpy as np

from degrade.adapters import Degrade, albumentations_transform
from degrade.images import decode
from degrade.schema import Applied, describe

PHOTOS = Path(__file__).parent / "photos"

transform = A.Compose(
    [
        A.RandomCrop(160, 160),
        A.HorizontalFlip(p=0.5),
        albumentations_transform(Degrade("social-media", seed=3)),
    ],
    seed=7,
    save_applied_params=True,
)

picture = decode((PHOTOS / "house.jpg").read_bytes(), max_pixels=10**8, max_side=320).pixels
for _ in range(3):
    done = transform(image=picture)  # (H, W, 3) uint8 RGB
    assert done["image"].shape == (160, 160, 3)
    assert done["image"].dtype == np.uint8
    (record,) = (p for name, p in done["applied_transforms"] if name == "DegradeTransform")
    print(record["row_id"], describe(Applied.model_validate(a) for a in record["applied"]))
