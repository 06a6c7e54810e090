"""Recipes inside other people's pipelines."""

from __future__ import annotations

import albumentations as A
import kornia.augmentation as K
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from degrade import pipeline
from degrade.adapters import Degrade, DegradeImages, albumentations_transform
from degrade.errors import UserError


def test_the_same_id_gives_the_same_picture_in_any_batch(photos: torch.Tensor) -> None:
    degrade = Degrade("robust-r1", seed=3)
    together, records = degrade(photos, ["a", "b", "c"])
    alone, record = degrade(photos[1:2], ["b"])
    assert record[0] == records[1]
    assert float((alone[0] - together[1]).abs().max()) <= 1 / 255
    assert torch.equal(pipeline.run(photos, records), together)


def test_eight_bit_batches_come_back_as_eight_bit(photos: torch.Tensor) -> None:
    bytes_in = (photos * 255).round().byte()
    out, records = Degrade("robust-r1")(bytes_in, ids=[1, 2, 3])
    assert out.dtype == torch.uint8
    again = pipeline.to_uint8(pipeline.run(pipeline.to_float(bytes_in), records))
    assert torch.equal(out, again)


def test_levels_share_geometry(photos: torch.Tensor) -> None:
    made = [Degrade("robust-r1-eval", level=v)(photos, "abc")[1] for v in (0.23, 0.9)]
    assert [r[0].operator for r in made[0]] == [r[0].operator for r in made[1]]
    with pytest.raises(UserError, match="level"):
        Degrade("robust-r1-eval")
    with pytest.raises(UserError, match="level"):
        Degrade("robust-r1", level=0.5)


def test_wrong_numbers_of_ids_are_named(photos: torch.Tensor) -> None:
    with pytest.raises(UserError, match="2 ids"):
        Degrade("robust-r1")(photos, ["a", "b"])


def test_inside_a_dataloader_with_workers(photos: torch.Tensor) -> None:
    degrade = Degrade("robust-r1", seed=1)

    def collate(rows: list[int]) -> tuple[torch.Tensor, list[str]]:
        images, records = degrade(photos[rows], rows)
        return images, [str(r) for r in records]

    def epoch(workers: int) -> list[tuple[torch.Tensor, list[str]]]:
        return list(DataLoader([0, 1, 2], batch_size=2, num_workers=workers, collate_fn=collate))

    for (a, b), (c, d) in zip(epoch(0), epoch(2), strict=True):
        assert b == d
        assert float((a - c).abs().max()) <= 1 / 255


def test_inside_a_kornia_pipeline(photos: torch.Tensor) -> None:
    chain = K.ImageSequential(K.RandomHorizontalFlip(p=1.0), DegradeImages(Degrade("robust-r1")))
    assert chain(photos).shape == photos.shape


def test_inside_a_pipeline_of_modules_with_several_inputs(photos: torch.Tensor) -> None:
    # torchvision v2's Compose hands all inputs from one transform to the next.
    class Compose(torch.nn.Module):
        def forward(self, *inputs: object) -> object:
            for step in (lambda x, ids: (x.flip(-1), ids), Degrade("robust-r1")):
                inputs = step(*inputs)
            return inputs

    images, records = Compose()(photos, ["a", "b", "c"])
    assert images.shape == photos.shape
    assert len(records) == 3


def test_inside_albumentations_with_its_seed_and_records() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)

    def compose(seed: int) -> A.Compose:
        step = albumentations_transform(Degrade("robust-r1"))
        return A.Compose([A.HorizontalFlip(p=0.5), step], seed=seed, save_applied_params=True)

    first, again, other = (compose(s)(image=picture) for s in (1, 1, 2))
    assert np.array_equal(first["image"], again["image"])
    assert first["image"].shape == picture.shape
    assert not np.array_equal(first["image"], other["image"])
    names = dict(first["applied_transforms"])
    assert isinstance(names["DegradeTransform"]["applied"], list)
    with pytest.raises(UserError, match="uint8"):
        compose(1)(image=picture.astype(np.float32))
