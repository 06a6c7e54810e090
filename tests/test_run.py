"""The main job: whole, replayable, resumable, unharmed by bad input."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from datasets import load_dataset
from PIL import Image

from degrade import pipeline, recipe, runs, shards, threads, workload
from degrade.errors import HaltedError, StoppedError, UserError
from degrade.executor import Options, Synth
from degrade.making import Maker
from degrade.runtime import resolve_devices
from degrade.timing import TIMING
from degrade.verify import Verifier
from tests.conftest import PHOTOS

CPU = torch.device("cpu")

ROBUST = recipe.load("robust-r1")


def pictures(folder: Path, count: int, side: int = 48) -> Path:
    """A folder of small, different photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(PHOTOS / "coffee.jpg") as photo:
        for i in range(count):
            x, y = 7 * i % 400, 11 * i % 300
            photo.crop((x, y, x + side + i % 3, y + side)).save(folder / f"{i:03d}.png")
    return folder


def synth(src: Path, out: Path, seed: int = 0, **options: Any) -> dict[str, Any]:
    chosen = options.pop("recipe", ROBUST)
    return Synth(src, out, chosen, seed, Options(**options)).run()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its content, but for how long it took."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != TIMING)
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (out / "metadata.jsonl").read_text().splitlines()]


def differing(out: Path, **options: Any) -> list[str]:
    verifier = Verifier(out, options.get("source"), "cpu", 2)
    return [d.problem for d in verifier.check(options.get("sample")) if d]


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


# ---------------------------------------------------------------------------- interruption


def command(src: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "degrade.cli", "synth", str(src), str(out), "--quiet", *more]


@pytest.mark.parametrize("fmt", ["folder", "parquet"])
def test_kill_and_repeat_gives_the_same_bytes(tmp_path: Path, fmt: str) -> None:
    src = pictures(tmp_path / "src", 600 if fmt == "parquet" else 150)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    synth(src, whole, format=fmt, encode="png")

    def written() -> int:
        return len(list(broken.rglob("*.png"))) + 64 * len(list(broken.rglob("shard-*.json")))

    for enough in (5, 90):  # inside the first shard, inside a later one
        process = subprocess.Popen(command(src, broken, "--format", fmt))
        started = time.monotonic()
        while written() < enough and process.poll() is None:
            assert time.monotonic() - started < 60
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (broken / "run.json").exists(), "the kill came too late to test anything"
    subprocess.run(command(src, broken, "--format", fmt, "--resume"), check=True)
    assert tree(broken) == tree(whole)


def test_a_stop_finishes_the_shards_under_way_and_the_same_command_goes_on(
    tmp_path: Path,
) -> None:
    src = pictures(tmp_path / "src", 200)
    run, stop = Synth(src, tmp_path / "out", ROBUST, 0, Options(workers=1)), threading.Event()

    def progress(done: int, _: int) -> None:
        if done == 70:
            stop.set()

    with pytest.raises(HaltedError):
        run.run(stop=stop.is_set, progress=progress)
    assert run.run_folder.missing(4) == [2, 3]
    assert len(list((tmp_path / "out" / "images").iterdir())) == 128
    synth(src, tmp_path / "out")
    synth(src, tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_another_recipe_or_seed_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 3)
    run = Synth(src, tmp_path / "out", ROBUST, 0, Options())
    with run.run_folder.opened(overwrite=False, resume=False):
        pass  # as if killed at once
    other = Synth(src, tmp_path / "out", ROBUST, 1, Options())
    with pytest.raises(UserError) as caught:
        other.run()
    assert run.run_folder.fingerprint in str(caught.value)
    assert other.run_folder.fingerprint in str(caught.value)
    assert "seed" in str(caught.value)
    assert not other.run(overwrite=True)["already_finished"]
    assert other.run()["already_finished"]
    with pytest.raises(UserError, match="finished run"):
        run.run()


def test_a_run_that_began_with_another_writer_of_pictures_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold files of both: the same pixels, other bytes than the command gives."""
    src, out = pictures(tmp_path / "src", 3), tmp_path / "out"
    monkeypatch.setattr(workload, "WRITER", 1)
    began = Synth(src, out, ROBUST, 0, Options()).run_folder
    with began.opened(overwrite=False, resume=False):
        assert began.matches()
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"an unfinished run.*differ in: writer"):
        synth(src, out)


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 3)
    synth(src, tmp_path / "out")
    before = tree(tmp_path / "out")
    assert synth(src, tmp_path / "out")["already_finished"]
    assert tree(tmp_path / "out") == before


def test_resume_insists_on_something_to_resume(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 1)
    with pytest.raises(UserError, match="no unfinished run"):
        Synth(src, tmp_path / "out", ROBUST, 0, Options()).run(resume=True)
    assert not (tmp_path / "out").exists()


def test_an_interrupted_overwrite_leaves_no_marker_without_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = pictures(tmp_path / "src", 70)
    synth(src, tmp_path / "whole")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    run = Synth(src, tmp_path / "out", ROBUST, 0, Options())
    with monkeypatch.context() as patch:
        patch.setattr(run.run_folder, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            run.run()
        assert len(list((tmp_path / "out" / ".work").glob("shard-*"))) == 2
        patch.setattr(runs.shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            run.run(overwrite=True)
    (tmp_path / "out" / "images" / "003.png").unlink()  # as if rmtree had come thus far
    synth(src, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_options_that_would_destroy_something_are_refused(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 2)
    synth(src, tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(UserError, match="give one of them"):
        Synth(src, tmp_path / "out", ROBUST, 0, Options()).run(overwrite=True, resume=True)
    with pytest.raises(UserError, match="inside the output"):
        Synth(tmp_path / "out" / "images", tmp_path / "out", ROBUST, 0, Options())
    with pytest.raises(UserError, match="is no name"):
        Synth(src, tmp_path / "new", ROBUST, 0, Options(format="parquet", split="../../x"))
    with pytest.raises(UserError, match="is a file"):
        synth(src, src / ".." / "out" / "run.json")
    assert tree(tmp_path / "out") == before


def test_names_that_need_escaping_beside_names_that_look_escaped(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 2)
    (src / "000.png").rename(src / "a%FF.png")
    (src / "001.png").rename(os.fsdecode(os.fsencode(src) + b"/a\xff.png"))
    synth(src, tmp_path / "out", copies=2)
    assert len({r["id"] for r in rows(tmp_path / "out")}) == 4
    assert differing(tmp_path / "out") == []


def test_a_picture_that_cannot_be_degraded_leaves_its_batch_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = pictures(tmp_path / "src", 9)
    real = pipeline.run

    def small_memory(x: torch.Tensor, plans: Any) -> torch.Tensor:
        if len(x) > 2 or any(a.operator == "hsv_saturation" for plan in plans for a in plan):
            raise MemoryError
        return real(x, plans)

    made = {}
    monkeypatch.setattr(pipeline, "run", small_memory)
    for batch in (1, 8):
        result = synth(src, tmp_path / str(batch), batch=batch)
        made[batch] = [r["id"] for r in rows(tmp_path / str(batch))], result["counts"]
    assert made[1] == made[8]
    assert 0 < made[1][1]["failed"] < 9


def test_a_damaged_run_is_said_to_be(tmp_path: Path) -> None:
    src, out = pictures(tmp_path / "src", 3), tmp_path / "out"
    synth(src, out)
    whole = (out / "metadata.jsonl").read_text()
    (out / "metadata.jsonl").write_text("".join(whole.splitlines(keepends=True)[:2]))
    assert differing(out) == differing(out, sample=1) == ["2 rows are left, run.json counts 3"]
    for broken in (whole[:-40], whole + "{}\n"):
        (out / "metadata.jsonl").write_text(broken)
        with pytest.raises(UserError, match="Cannot read"):
            differing(out)
    (out / "metadata.jsonl").unlink()
    with pytest.raises(UserError, match="Cannot read"):
        differing(out)
    for text in ("{}", "[]", "{"):
        (out / "run.json").write_text(text)
        with pytest.raises(UserError, match=r"damaged|Cannot read"):
            differing(out)


def test_foreign_folders_are_never_touched(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="not empty"):
            Synth(src, tmp_path / "out", ROBUST, 0, Options()).run(overwrite=overwrite)
    assert tree(tmp_path / "out") == {"thesis.tex": b"years of work"}
    for inside in (src, src / "out"):
        with pytest.raises(UserError, match="inside the source"):
            Synth(src, inside, ROBUST, 0, Options())


def test_cores_are_counted_where_the_system_tells_of_no_affinity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert (threads.host_threads(), threads.host_threads(3)) == (os.cpu_count(), 3)


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 400)
    process = subprocess.Popen(command(src, tmp_path / "out"))
    while not (tmp_path / "out" / ".work").exists():
        assert process.poll() is None
        time.sleep(0.01)
    with pytest.raises(UserError, match="Another process"):
        synth(src, tmp_path / "out")
    assert process.wait() == 0
    assert synth(src, tmp_path / "out")["counts"]["rows"] == 400


@pytest.mark.parametrize("fmt", ["folder", "parquet"])
def test_a_full_disk_stops_and_loses_nothing(
    tmp_path: Path, fmt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = pictures(tmp_path / "src", 300)
    synth(src, tmp_path / "whole", format=fmt)
    left = [270]

    def scarce(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **kwargs)

        return write

    with monkeypatch.context() as patch:
        patch.setattr(runs, "write_atomic", scarce(runs.write_atomic))
        patch.setattr(shards.ParquetShard, "add", scarce(shards.ParquetShard.add))
        with pytest.raises(StoppedError, match="No space left"):
            synth(src, tmp_path / "out", format=fmt)
    kept = [p.name for p in (tmp_path / "out" / ".work").glob("shard-*")]
    assert kept, "finished shards stay"
    assert not list((tmp_path / "out").rglob(".*.tmp"))
    synth(src, tmp_path / "out", format=fmt)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


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
