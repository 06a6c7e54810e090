"""The main job: whole, replayable, resumable, unharmed by bad input."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from datasets import load_dataset
from PIL import Image

from degrade import recipe
from degrade.errors import UserError
from degrade.executor import Options, Synth
from degrade.making import Maker
from degrade.runtime import resolve_devices
from tests.conftest import PHOTOS
from tests.run_help import ROBUST, differing, pictures, rows, synth, tree

CPU = torch.device("cpu")


def test_every_picture_has_a_row_that_replays(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 9)
    result = synth(src, tmp_path / "out", copies=2)
    assert result["counts"]["rows"] == 18
    listed = rows(tmp_path / "out")
    assert [r["id"] for r in listed[:3]] == ["000.png", "000.png~2", "001.png"]
    assert {r["file_name"] for r in listed} == {
        n for n in tree(tmp_path / "out") if n.startswith("images/")
    }
    assert differing(tmp_path / "out") == []


def test_a_changed_picture_is_found(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 4)
    synth(src, tmp_path / "out", encode="png")
    bad = tmp_path / "out" / "images" / "002.png"
    pixels = np.asarray(Image.open(bad)).copy()
    pixels[0, 0] ^= 4
    Image.fromarray(pixels).save(bad)
    (tmp_path / "out" / "images" / "003.png").unlink()
    problems = differing(tmp_path / "out")
    assert len(problems) == 2
    assert "grey levels" in problems[0]
    assert "No such file" in problems[1]


@pytest.mark.parametrize("fmt", ["folder", "parquet"])
@pytest.mark.parametrize("encode", ["png", "jpg", "webp", "keep"])
def test_every_encoding_replays(tmp_path: Path, fmt: str, encode: str) -> None:
    src = pictures(tmp_path / "src", 3)
    Image.open(PHOTOS / "cat.jpg").resize((64, 48)).save(src / "a.jpg")
    synth(src, tmp_path / "out", format=fmt, encode=encode, max_side=40)
    assert differing(tmp_path / "out") == []


def test_workers_and_batches_do_not_change_what_is_done(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 70)
    for name, workers in (("one", 1), ("four", 4)):
        synth(src, tmp_path / name, workers=workers)
    assert tree(tmp_path / "one") == tree(tmp_path / "four")
    synth(src, tmp_path / "batched", batch=8)
    assert rows(tmp_path / "batched") == rows(tmp_path / "one")
    for row in rows(tmp_path / "one"):
        a, b = (
            np.asarray(Image.open(tmp_path / n / row["file_name"])).astype(int)
            for n in ("one", "batched")
        )
        # A codec or a block edge may amplify a last-digit difference of a batched FFT.
        assert (np.abs(a - b) <= 1).mean() > 0.999, row["degradations"]


def test_several_devices_share_the_work_and_change_nothing(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 150)
    chosen, options = recipe.load("robust-r1"), Options(batch=4, workers=2)
    seen, degrade_group = set(), Maker.degrade_group
    for name, devices in (("one", [CPU]), ("three", [CPU] * 3)):
        run = Synth(src, tmp_path / name, chosen, 0, options)
        run.work.task = replace(run.work.task, devices=tuple(devices))

        def watched(maker: Maker, loaded: Any, device: Any, name: str = name) -> Any:
            seen.add((name, threading.current_thread().ident))
            return degrade_group(maker, loaded, device)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Maker, "degrade_group", watched)
            run.run()
    assert tree(tmp_path / "one") == tree(tmp_path / "three")
    assert Counter(name for name, _ in seen) == {"one": 1, "three": 3}


@pytest.mark.parametrize("names", ["cpu,cpu", "cpu,cuda", "cuda:0,cuda:99", "cpu,"])
def test_devices_must_exist_and_differ(names: str) -> None:
    with pytest.raises(UserError, match=r"cuda:0|auto, cpu|not there"):
        resolve_devices(names)


def test_a_rows_draw_does_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 6)
    synth(src, tmp_path / "all")
    (src / "000.png").unlink()
    synth(src, tmp_path / "fewer")
    by_id = {r["id"]: r for r in rows(tmp_path / "all")}
    assert all(by_id[r["id"]] == r for r in rows(tmp_path / "fewer"))


def test_levels_write_one_picture_each(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 2)
    synth(src, tmp_path / "out", recipe=recipe.load("robust-r1-eval"))
    names = [r["file_name"] for r in rows(tmp_path / "out")]
    assert names[:3] == ["images/000@0.23.png", "images/000@0.45.png", "images/000@0.9.png"]
    assert differing(tmp_path / "out", sample=4) == []


# ---------------------------------------------------------------------------- bad input


def test_bad_files_go_to_quarantine_with_a_reason_and_the_run_goes_on(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 4)
    good = (src / "000.png").read_bytes()
    (src / "truncated.png").write_bytes(good[: len(good) // 2])
    (src / "empty.jpg").touch()
    (src / "text.jpg").write_text("no picture")
    (src / "really-a-png.jpg").write_bytes(good)
    (src / "loop.jpg").symlink_to(src / "loop.jpg")
    os.mkfifo(src / "pipe.jpg")
    (src / "folder.jpg").mkdir()
    (src / "a" / "b").mkdir(parents=True)
    (src / "a" / "000.png").write_bytes(good)
    (src / "a" / "b" / "000.PNG").write_bytes(good)
    Image.open(src / "000.png").save(src / "000.jpg")
    Image.new("1", (3000, 3000)).save(src / "bomb.png")
    Image.new("RGB", (37, 1), "teal").save(src / "thin.png")
    Image.open(src / "000.png").convert("CMYK").save(src / "cmyk.jpg")
    Path(os.fsdecode(os.fsencode(src) + b"/caf\xe9.png")).write_bytes(good)
    (src / ("n" * 250 + ".png")).write_bytes(good)
    result = synth(src, tmp_path / "out", max_pixels=10**6, copies=2)
    lines = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    reasons = {q["id"][:12]: q["reason"] for q in map(json.loads, lines)}
    assert reasons == {
        "bomb.png": "too_many_pixels",
        "empty.jpg": "empty_file",
        "loop.jpg": "unreadable",
        "n" * 12: "name_too_long",
        "pipe.jpg": "unreadable",
        "text.jpg": "not_a_picture",
        "truncated.pn": "broken",
    }
    assert result["counts"]["failures"] == Counter(reasons.values())
    names = [r["file_name"] for r in rows(tmp_path / "out")]
    assert len(names) == len(set(names)) == 22
    assert {"images/caf%E9.png", "images/000.png.png", "images/a/b/000.png"} <= set(names)
    assert differing(tmp_path / "out") == []


@pytest.mark.parametrize(("encode", "batch"), [("webp", 1), ("webp", 8), ("jpg", 1), ("png", 1)])
def test_a_picture_too_long_for_its_format_does_not_stop_the_others(
    tmp_path: Path, encode: str, batch: int
) -> None:
    src, longest = pictures(tmp_path / "src", 2), {"png": 1_000_000, "webp": 16_383, "jpg": 65_500}
    Image.new("RGB", (longest[encode] + 1, 1)).save(src / "long.png")
    chosen = recipe.load("single").narrowed(["gaussian_noise"], 0.2)
    for fmt in ("folder", "parquet"):
        options: dict[str, Any] = {"recipe": chosen, "batch": batch, "encode": encode}
        counts = synth(src, tmp_path / fmt, format=fmt, **options)["counts"]
        assert (counts["rows"], counts["failures"]) == (2, {"too_long_to_write": 1})
    failure = json.loads((tmp_path / "folder" / "quarantine.jsonl").read_text())
    assert f"holds {longest[encode]} pixels a side" in failure["detail"]


def test_pictures_that_all_fail_still_make_a_run(tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    (src / "x.jpg").touch()
    assert synth(src, tmp_path / "out")["counts"]["failed"] == 1
    assert synth(src, tmp_path / "parquet", format="parquet")["counts"]["rows"] == 0


# ---------------------------------------------------------------------------- what others load


def test_the_folder_loads_as_a_dataset_with_its_record(tmp_path: Path) -> None:
    synth(pictures(tmp_path / "src", 5), tmp_path / "out")
    data = load_dataset(
        "imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "c"), split="train"
    )
    for loaded, row in zip(data, rows(tmp_path / "out"), strict=True):
        assert loaded["image"].size == (row["width"], row["height"])
        assert loaded["id"] == row["id"]
        assert loaded["degradations"] == row["degradations"]
        assert [a["operator"] for a in loaded["applied"]] == [a["operator"] for a in row["applied"]]


def test_parquet_loads_as_a_dataset_with_both_pictures(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 70)
    synth(src, tmp_path / "out", format="parquet", split="validation")
    (name,) = (tmp_path / "out" / "data").iterdir()
    assert name.name == "validation-00000-of-00001.parquet"
    assert pq.ParquetFile(name).metadata.num_row_groups == 3
    for streaming in (False, True):
        data = load_dataset(
            "parquet",
            data_files=str(name),
            split="train",
            streaming=streaming,
            cache_dir=str(tmp_path / "c"),
        )
        first = next(iter(data))
        assert first["image"].size == first["clean_image"].size == (48, 48)
        assert first["applied"] is not None
    stored = pq.read_table(name)["clean_image"].to_pylist()
    assert stored[0]["bytes"] == (src / "000.png").read_bytes(), "original bytes are kept"


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "nonsense:0"])
def test_devices_that_are_not_there_are_refused(tmp_path: Path, device: str) -> None:
    src = pictures(tmp_path / "src", 1)
    with pytest.raises(UserError, match=r"--device cpu|Use auto"):
        Synth(src, tmp_path / "out", ROBUST, 0, Options(device=device))
