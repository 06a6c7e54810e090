"""Degrade on the fly in a DataLoader: deterministic per row, whatever the number of workers."""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from degrade.adapters import Degrade
from degrade.images import decode
from degrade.schema import describe

FILES = sorted((Path(__file__).parent / "photos").glob("*.jpg"))
SIDE = 224


class Photos(torch.utils.data.Dataset[tuple[str, Tensor]]):
    def __len__(self) -> int:
        return len(FILES)

    def __getitem__(self, index: int) -> tuple[str, Tensor]:
        pixels = decode(FILES[index].read_bytes(), max_pixels=10**8).pixels
        crop = torch.from_numpy(pixels[:SIDE, :SIDE].copy())
        return FILES[index].name, crop.permute(2, 0, 1)


degrade = Degrade("robust-r1", seed=1)


def collate(rows: list[tuple[str, Tensor]]) -> tuple[Tensor, Tensor, list[str]]:
    clean = torch.stack([picture for _, picture in rows])
    degraded, plans = degrade(clean, ids=[name for name, _ in rows])  # uint8 in, uint8 out
    return clean, degraded, [describe(plan) for plan in plans]


if __name__ == "__main__":
    for clean, degraded, answers in DataLoader(Photos(), 3, num_workers=2, collate_fn=collate):
        assert degraded.shape == clean.shape
        print("\n".join(answers))
