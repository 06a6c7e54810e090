"""Recipes inside other people's pipelines: torch, kornia, torchvision v2, albumentations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from degrade import pipeline
from degrade import recipe as recipes
from degrade.errors import UserError
from degrade.recipe import Recipe
from degrade.schema import Applied

SEED_RANGE = 2**31


class Degrade(nn.Module):
    """A recipe as a module: a batch and its ids in, degraded batch and records out.

    The same id always gives the same degradation, in any batch, worker or epoch; vary the id (for
    example ``f"{name}/{epoch}"``) to vary the draw.

    Args:
        recipe: A :class:`~degrade.recipe.Recipe`, the name of a preset or the path of a file. With
            several versions of a picture, ``level`` says which one.
        seed: Root seed.
        level: For recipes that make several versions, the one to make: a level (0.45), a severity
            (``"3"``), or a type and severity (``"fog-3"``).

    Examples:
        >>> degrade = Degrade("robust-r1", seed=7)
        >>> images, records = degrade(torch.rand(2, 3, 64, 64), ids=["a.jpg", "b.jpg"])
    """

    def __init__(
        self, recipe: Recipe | str, seed: int = 0, level: float | str | None = None
    ) -> None:
        super().__init__()
        self.recipe = (recipes.load(recipe) if isinstance(recipe, str) else recipe).narrowed()
        self.seed = seed
        names = self.recipe.variants
        told = level if isinstance(level, str) else "" if level is None else f"{level:g}"
        if told not in names:
            allowed = f"one of {', '.join(names)}" if any(names) else "none: it has no levels"
            raise UserError(f"Recipe {self.recipe.name!r}: level {level!r}, allowed is {allowed}.")
        self._variant = names.index(told)

    def forward(
        self, images: torch.Tensor, ids: Sequence[str | int]
    ) -> tuple[torch.Tensor, list[tuple[Applied, ...]]]:
        """Degrade a batch.

        Args:
            images: (B, 3, H, W), float32 in [0, 1] or uint8; the same type comes back.
            ids: B ids, one per picture.

        Returns:
            The degraded batch, and per picture the records in order of application.
        """
        if len(ids) != len(images):
            raise UserError(f"Degrade got {len(images)} pictures but {len(ids)} ids.")
        side = min(images.shape[-2:])
        plans = [self.recipe.draw(str(i), self.seed, side)[self._variant].applied for i in ids]
        if images.dtype == torch.uint8:
            return pipeline.to_uint8(pipeline.run(pipeline.to_float(images), plans)), plans
        return pipeline.run(images, plans), plans

    def extra_repr(self) -> str:
        """Recipe and seed, for ``print(module)``."""
        return f"recipe={self.recipe.name!r}, seed={self.seed}"


class DegradeImages(nn.Module):
    """Degrade inside a pipeline that passes pictures alone (kornia, torchvision v2 ``Compose``).

    Takes (3, H, W) or (B, 3, H, W), float32 in [0, 1] or uint8, and returns the same. Ids are drawn
    from torch's generator, as such pipelines do, so a worker's seed decides; the records are not
    kept. Where they matter, call :class:`Degrade` with ids of your own.
    """

    def __init__(self, degrade: Degrade) -> None:
        super().__init__()
        self.degrade = degrade

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Degrade one picture or a batch with freshly drawn ids."""
        batch = images if images.ndim == 4 else images[None]
        ids = [str(int(i)) for i in torch.randint(SEED_RANGE, (len(batch),))]
        out: torch.Tensor = self.degrade(batch, ids)[0]
        return out if images.ndim == 4 else out[0]


def albumentations_transform(degrade: Degrade, p: float = 1.0) -> Any:
    """The recipe as an albumentations 2.x transform on (H, W, 3) uint8 RGB pictures.

    The id is drawn from the ``Compose``'s own seeded generator. The transform's parameters are
    ``{"row_id": ..., "applied": [...]}``, plain JSON, so ``Compose(save_applied_params=True)``
    returns the record.
    """
    try:
        from albumentations.core.transforms_interface import ImageOnlyTransform
    except ImportError:
        raise UserError("albumentations is missing: pip install albumentations==2.0.8") from None

    class DegradeTransform(ImageOnlyTransform):  # type: ignore[misc]
        def get_params_dependent_on_data(
            self, params: dict[str, Any], data: dict[str, Any]
        ) -> dict[str, Any]:
            row_id = str(self.py_random.randrange(SEED_RANGE))
            side = min(params["shape"][:2])
            variant = degrade.recipe.draw(row_id, degrade.seed, side)[degrade._variant]
            return {
                "row_id": row_id,
                "applied": [a.model_dump(mode="json") for a in variant.applied],
            }

        def apply(self, img: Any, applied: list[dict[str, Any]], **_: Any) -> Any:
            if img.dtype != "uint8" or img.ndim != 3 or img.shape[2] != 3:
                raise UserError(
                    f"Degrade takes (H, W, 3) uint8 RGB, got {img.shape} of {img.dtype}."
                )
            batch = torch.from_numpy(img.copy()).permute(2, 0, 1)[None]
            plan = [Applied.model_validate(a) for a in applied]
            out = pipeline.to_uint8(pipeline.run(pipeline.to_float(batch), [plan]))
            return out[0].permute(1, 2, 0).contiguous().numpy()

    return DegradeTransform(p=p)
