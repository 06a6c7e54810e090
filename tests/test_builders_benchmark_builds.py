"""Builds of benchmarks: the same bytes again, what is refused, the command."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from builders.table import Dataset
from degrade.errors import UserError
from degrade.schema import Question
from tests.benchmark_help import LEVELS, build, recipe
from tests.build_help import Houses, digests, dying_at
from tests.test_builders_cli import command, run


def test_a_benchmark_does_not_depend_on_workers_and_a_finished_one_is_left_alone(
    tmp_path: Path,
) -> None:
    build(tmp_path / "one", recipe(), workers=1)
    build(tmp_path / "two", recipe(), workers=3)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "one").rglob("*")}
    assert build(tmp_path / "one", recipe()).already_finished
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "one").rglob("*")} == before


@pytest.mark.parametrize("step", range(1, 40, 6))
def test_a_benchmark_that_dies_anywhere_ends_as_one_that_does_not(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "whole", recipe(4))
    with dying_at(step, monkeypatch):
        build(tmp_path / "out", recipe(4), workers=1)
    build(tmp_path / "out", recipe(4))
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


def test_a_benchmark_killed_while_it_degrades_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(
        "kind: benchmark\nname: bench\nsummary: Scenes.\n"
        "sources: [{kind: scenes, name: scenes, rows: 70, size: [160, 160]}]\n"
    )
    arguments = ("build", "benchmark", path)
    run(*arguments, tmp_path / "whole" / "out")  # the card names the folder
    out = tmp_path / "out"
    with subprocess.Popen(
        command(*arguments, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 60
        committed = tmp_path / "out.build" / "levels-degraded" / ".work" / "shard-000000.json"
        while not committed.exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "dataset.json").exists()
    run(*arguments, out)
    assert digests(out) == digests(tmp_path / "whole" / "out")
    assert "is finished already: 280 rows" in run(*arguments, out).stdout


def test_items_that_cannot_be_used_are_in_no_level_and_have_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not open, one without a picture, one that no operator can damage."""
    from degrade.making import Maker

    normal = Maker.degrade

    def refuses(self: Any, pieces: list[Any], device: Any) -> Any:
        if pieces[0].loaded.job.source.id == "houses/0002":
            return ["too small for this codec"] * len(pieces)
        return normal(self, pieces, device)

    monkeypatch.setattr(Maker, "degrade", refuses)
    result = build(tmp_path / "out", recipe(9, {"broken": [5], "missing": [7]}))
    assert result.info is not None
    counts = result.info["counts"]
    reasons = {"missing_picture": 1, "not_a_picture": 1, "not_degradable": 1}
    assert counts["failures"] == reasons
    assert counts["quarantined"] == 3
    wanted = [f"houses/{i:04d}" for i in (0, 1, 3, 4, 6, 8)]
    for split in LEVELS:
        rows = Dataset(tmp_path / "out").entries(split, pictures=False)
        assert [entry.row.item for entry in rows] == wanted


def test_items_without_an_answer_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    normal = Houses._question

    def secret(self: Houses, i: int) -> Question:
        found = normal(self, i)
        return found.model_copy(update={"answer": ""}) if i in (2, 3, 5, 6) else found

    monkeypatch.setattr(Houses, "_question", secret)
    with pytest.raises(UserError, match=r"4 of 9 items have no answer: houses/0002, houses/0003"):
        build(tmp_path / "out", recipe())
    assert not (tmp_path / "out").exists()
    build(tmp_path / "out", recipe(unanswered="quarantine"))
    assert Dataset(tmp_path / "out").info["counts"]["failures"] == {"no_answer": 4}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"twice": True}, "row '0000': the id occurs twice"),
        ({"wrong": True}, "row '0003': the answer 'purple' is none of"),
        ({"broken": list(range(9))}, "no usable item.*9 not_a_picture; first houses/0000"),
    ],
)
def test_what_cannot_be_right_is_refused_with_the_row(
    tmp_path: Path, source: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(tmp_path / "out", recipe(9, source))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "colour"),
        ({"levels": []}, "no level above 0"),
        ({"levels": [0.0]}, "no level above 0"),
        ({"levels": [0.255]}, "more than two decimals"),
        ({"levels": [1.5]}, "less than or equal to 1"),
        ({"operators": ["blur"]}, "Unknown operator 'blur'"),
        ({"protocol": "robust-r2"}, "'degrade', 'robust-r1' or 'source'"),
        ({"protocol": "robust-r1", "levels": [0.5]}, "'levels' is .* by the protocol"),
        ({"protocol": "robust-r1", "degrade": "robust-r1"}, "'degrade' is 'robust-r1-published'"),
        ({"protocol": "source", "count": {2: 1}}, "come degraded"),
        ({"published": True}, "'published' is False by the protocol 'degrade'"),
        ({"sources": [{"kind": "scenes", "name": "s", "rows": "fill"}]}, "say how many"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degrade": "robust"}, "Did you mean 'robust-r1'"),
        ({"degrade": "mine.yaml"}, "Cannot read .*mine.yaml"),
        ({"degrade": "single"}, "leaves no operator"),
        ({"training": "unseen", "held_out": {}}, "what training has not seen"),
        ({"training": "unseen", "held_out": "robust-r1-12k"}, "Did you mean 'robust-r1-11k'"),
        ({"training": "seen", "operators": ["motion_blur"]}, "operators given leave no operator"),
    ],
)
def test_degradations_that_do_not_fit_are_refused_before_anything_is_done(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build(tmp_path / "out", recipe(**changes), base=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_it_made_and_takes_sources_as_they_are(tmp_path: Path) -> None:
    photos = Path(__file__).parents[1] / "examples" / "photos"
    source = f"folder:{photos},questions={photos / 'questions.jsonl'},license=CC0-1.0"
    done = run("build", "benchmark", source, tmp_path / "out", "--level", "0.5", "--limit", 2)
    assert "level_050" in done.stdout
    assert "4 rows in" in done.stdout.replace("\n", " ")
    rows = [e.row for e in Dataset(tmp_path / "out").entries(pictures=False)]
    assert [row.id for row in rows] == [
        "photos/astronaut.jpg@0.00",
        "photos/boats.jpg@0.00",
        "photos/astronaut.jpg@0.50",
        "photos/boats.jpg@0.50",
    ]
    text = (tmp_path / "out" / "README.md").read_text()
    assert "--level 0.5 --limit 2" in text
    assert str(photos) not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mmsta", "OUT"), "Did you mean 'mmstar'"),
        (("mmmb", "OUT"), "hf download AIDC-AI/Parrot-dataset"),
        (("folders:x", "OUT"), "Did you mean 'folder'"),
        (("folder:nowhere", "OUT"), "nowhere"),
        (("scenes:seed=1", "OUT"), "never ends"),
        (("scenes", "OUT", "--level", "0"), "no level above 0"),
        (("scenes", "OUT", "--op", "blur"), "Unknown operator 'blur'"),
        (("scenes", "OUT", "--data", "x.tsv"), "without a path"),
        (("scenes", "OUT", "--protocol", "robust-r1", "--level", "0.3"), "by the protocol"),
    ],
)
def test_mistakes_exit_2_and_say_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    given_ = [tmp_path / "out" if a == "OUT" else a for a in arguments]
    assert message in run("build", "benchmark", *given_, code=2).stderr.replace("\n", " ")
    assert not (tmp_path / "out").exists()
