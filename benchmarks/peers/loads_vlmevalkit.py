"""VLMEvalKit's own loader and report on an export; see ``loaders.py``.

    python loads_vlmevalkit.py EXPORT

A model that always answers A must be right as often as A is, in every cell of the report.
"""

from __future__ import annotations

import base64
import io
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

# The published torchvision is built for CUDA and does not import beside a torch for the CPU, for
# want of two operators. Nothing here calls them.
try:
    import torchvision  # noqa: F401
except RuntimeError:
    for module in [name for name in sys.modules if name.startswith("torchvision")]:
        del sys.modules[module]
    missing = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        missing.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def main(folder: Path) -> None:
    """Load every table, look at its prompts and pictures, and have it report."""
    warnings.simplefilter("ignore")
    os.environ["LMUData"] = str(folder)  # noqa: SIM112 - that is its name
    from vlmeval.dataset import build_dataset

    for path in sorted(folder.glob("*.tsv")):
        if path.stem.endswith(
            "_local"
        ):  # its own, of a table above 1 GB whose pictures it unpacked
            continue
        table = pd.read_csv(path, sep="\t")
        data = build_dataset(path.stem)
        assert type(data).__name__ == "CustomMCQDataset", type(data)
        assert len(data) == len(table)
        for number in range(0, len(table), max(1, len(table) // 20)):
            _shown(data, number, table.iloc[number]["image"])
        with tempfile.TemporaryDirectory() as made:
            told = data.data.drop(columns="image", errors="ignore").assign(prediction="A")
            file = Path(made) / f"always_{path.stem}.xlsx"
            told.to_excel(file, index=False)
            found = data.evaluate(str(file), model="exact_matching", nproc=1)
        cells = _checked(table, found)
        print(f"{path.stem}: {len(table)} rows, {cells} cells of the report are right\n{found}")


def _shown(data: object, number: int, image: str) -> None:
    """A prompt has its question and options, and the picture that is stored for its row."""
    row = data.data.iloc[number]  # type: ignore[attr-defined]
    messages = data.build_prompt(number)  # type: ignore[attr-defined]
    text = "".join(m["value"] for m in messages if m["type"] == "text")
    assert row["question"] in text
    assert f"A. {row['A']}" in text
    (picture,) = [m["value"] for m in messages if m["type"] == "image"]
    stored = Image.open(io.BytesIO(base64.b64decode(image)))
    shown = np.asarray(Image.open(picture).convert("RGB"))
    assert np.array_equal(np.asarray(stored.convert("RGB")), shown), picture


def _checked(table: pd.DataFrame, found: pd.DataFrame) -> int:
    """Compare every cell with the share of A in it; gives their number."""
    cells = 0
    for _, report in found.iterrows():
        rows = table[table["split"] == report["split"]]
        for column, value in report.drop("split").items():
            of = rows
            if column != "Overall":
                of = rows[(rows["category"] == column) | (rows["l2-category"] == column)]
            share = float((of["answer"] == "A").mean()) if len(of) else float("nan")
            assert np.isclose(value, share, equal_nan=True), (report["split"], column, value, share)
            cells += 1
    return cells


if __name__ == "__main__":
    main(Path(sys.argv[1]))
