"""A benchmark: the same items at every level, sharing every draw but strength, nothing lost."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import recipe as recipes
from builders.benchmark import BenchmarkBuild, BenchmarkRecipe, from_source, load, preset_names
from builders.recipe_file import write_recipe
from builders.replay import replay
from builders.sources import Item, SourceSpec, read_spec
from builders.staged import Machine, Result
from builders.table import Dataset, Entry, Example, level_split
from builders.validate import validate
from degrade import images, ops, published
from degrade.errors import UserError
from degrade.params import Severity
from degrade.schema import Question
from tests.dataset_help import WORDS, picture
from tests.test_builders_build import Houses, Killed, card, digests, silent
from tests.test_builders_cli import command, run

LEVELS = ["clean", "level_025", "level_050", "level_100"]


def recipe(items: int = 9, source: dict[str, Any] | None = None, **changes: Any) -> BenchmarkRecipe:
    houses = {"kind": "houses", "name": "houses", "count": items} | (source or {})
    data = {"name": "houses", "summary": "Doors.", "sources": [houses]}
    return BenchmarkRecipe.model_validate(data | changes)


def build(
    out: Path, chosen: BenchmarkRecipe, workers: int = 2, base: Path = Path(), **options: Any
) -> Result:
    made = BenchmarkBuild(chosen, base, out, card, Machine(workers=workers))
    return made.run(silent, **options)


def by_item(folder: Path) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in Dataset(folder).entries():
        found.setdefault(entry.row.item, []).append(entry)
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty houses at the default levels."""
    out = tmp_path_factory.mktemp("built") / "out"
    build(out, recipe(30))
    return out


# -------------------------------------------------------------------------------------- levels


def test_every_level_has_the_same_items_in_the_order_of_the_source(built: Path) -> None:
    data = Dataset(built)
    assert list(data.splits) == LEVELS
    assert data.benchmark
    wanted = [f"houses/{i:04d}" for i in range(30)]
    for split, level in zip(LEVELS, (0.0, 0.25, 0.5, 1.0), strict=True):
        rows = [entry.row for entry in data.entries(split, pictures=False)]
        assert [row.item for row in rows] == wanted
        assert [row.id for row in rows] == [f"{item}@{level:.2f}" for item in wanted]
        assert {row.level for row in rows} == {level}
        assert {len(row.applied) for row in rows} == {int(level > 0)}
    assert not built.with_name("out.build").exists()


def test_levels_share_every_draw_and_differ_in_strength_alone(built: Path) -> None:
    operators = Counter[str]()
    for entries in by_item(built).values():
        drawn = set()
        for entry in entries[1:]:
            row = entry.row
            (applied,) = row.applied
            assert applied.intensity == row.level == row.intensity_sum
            follows = {
                a.name
                for a in ops.get(applied.operator).arguments
                if isinstance(a.declaration, Severity)
            }
            same = [(p.name, p.value) for p in applied.params if p.name not in follows]
            drawn.add((applied.operator, applied.seeds, tuple(same)))
        assert len(drawn) == 1
        operators[entries[1].row.applied[0].operator] += 1
    assert len(operators) > 8


def test_a_level_alone_draws_what_the_recipe_of_all_draws(built: Path) -> None:
    """Each level's recipe in dataset.json makes its records again."""
    from degrade.recipe import Recipe

    told = Dataset(built).info["settings"]["degradations"]
    assert list(told) == LEVELS[1:]
    for entries in by_item(built).values():
        for entry in entries[1:]:
            again = Recipe.model_validate(told[entry.row.split])
            (variant,) = again.draw(entry.row.item, 0, 72)
            assert variant.applied == entry.row.applied


def test_undamaged_pictures_are_the_source_s_bytes_and_questions_are_untouched(
    tmp_path: Path,
) -> None:
    """JPEG files with comments, which no re-encoding would keep; awkward texts."""
    from tests.sources_help import jpeg

    odd = [
        Question(question=" Two  spaces,\ttab\nand line ", choices=("a", "a "), answer="a "),
        Question(question="Which?", choices=("1", "2", "3"), answer="2"),
        Question(question="Which one?", choices=("x", "y"), answer="B", answer_as="letter"),
        Question(question="Index?", choices=("1", "0"), answer="1", answer_as="index"),
        Question(question="Twice?", choices=("same", "same"), answer="same"),
        Question(question="Frei: \u00fc\u4e2d?", answer=" free ", rationales=("r",)),
    ]

    class Odd(SourceSpec):
        kind: str = "odd"  # no Literal: not registered under a kind of its own

        def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
            for i, question in enumerate(odd):
                yield Item(str(i), jpeg(i), f"{i}.jpg", question, "CC0-1.0")

    chosen = recipe().model_copy(update={"sources": (Odd(name="odd"),)})
    build(tmp_path / "out", chosen)
    for i, entries in enumerate(by_item(tmp_path / "out").values()):
        assert len(entries) == 4
        for entry in entries:
            row, asked = entry.row, odd[i]
            assert (row.question, row.choices, row.answer) == (
                asked.question,
                asked.choices,
                asked.answer,
            )
            assert row.rationales == asked.rationales
            assert row.answer_as == {1: "text", 2: "letter", 3: "index"}.get(i, "text")
            assert row.task == ("mcq" if asked.choices else "vqa")
            assert entry.clean == jpeg(i)
        assert entries[0].image == jpeg(i)
        assert entries[0].row.encoding == "jpg original"
        assert entries[0].row.file_name.endswith("@0.00.jpg")


def test_all_items_are_kept_also_those_that_ask_the_same(tmp_path: Path) -> None:
    class Twice(Houses):
        def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
            for i in range(6):
                item = self._item(i // 2)
                yield Item(str(i), item.picture, item.name, item.question, "CC0-1.0")

    chosen = recipe().model_copy(update={"sources": (Twice(name="twice"),)})
    build(tmp_path / "out", chosen)
    found = by_item(tmp_path / "out")
    assert list(found) == [f"twice/{i}" for i in range(6)]
    assert len({entries[0].row.group for entries in found.values()}) == 3


def test_near_duplicates_are_one_group(tmp_path: Path) -> None:
    build(tmp_path / "out", recipe(8, {"copies": 8}))
    groups: dict[str, set[str]] = {}
    for item, entries in by_item(tmp_path / "out").items():
        groups.setdefault(item[-1], set()).update(entry.row.group for entry in entries)
    assert len(groups) == 8
    assert all(len(found) == 1 for found in groups.values())


def test_several_operators_are_the_same_at_every_level(tmp_path: Path) -> None:
    build(tmp_path / "out", recipe(6, count={3: 1.0}))
    for entries in by_item(tmp_path / "out").values():
        names = {tuple(a.operator for a in entry.row.applied) for entry in entries[1:]}
        assert len(names) == 1
        assert len(next(iter(names))) == 3
        for entry in entries[1:]:
            assert entry.row.intensity_sum == pytest.approx(3 * (entry.row.level or 0))


def test_levels_are_named_and_ordered(tmp_path: Path) -> None:
    build(tmp_path / "out", recipe(3, levels=[1.0, 0.07, 0.0]))
    assert list(Dataset(tmp_path / "out").splits) == ["clean", "level_007", "level_100"]


@given(st.lists(st.integers(0, 100), min_size=1, unique=True))
def test_no_two_levels_share_a_split(grid: list[int]) -> None:
    assert len({level_split(value / 100) for value in grid}) == len(grid)


# ------------------------------------------------------------------------- the same bytes again


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
    left, rename = [step], Path.replace

    def mortal(self: Path, target: Any) -> Path:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", mortal)
        with pytest.raises(Killed):
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


def test_the_first_items_alone_are_what_they_are_among_all(tmp_path: Path, built: Path) -> None:
    build(tmp_path / "out", recipe(30).limited(5))
    few, all_ = by_item(tmp_path / "out"), by_item(built)
    assert list(few) == list(all_)[:5]
    for item, entries in few.items():
        assert [e.image for e in entries] == [e.image for e in all_[item]]


def test_items_that_cannot_be_used_are_in_no_level_and_have_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not open, one without a picture, one that no operator can damage."""
    from degrade import executor

    normal = executor.Synth._degrade

    def refuses(self: Any, pieces: list[Any]) -> Any:
        if pieces[0].loaded.job.source.id == "houses/0002":
            return ["too small for this codec"] * len(pieces)
        return normal(self, pieces)

    monkeypatch.setattr(executor.Synth, "_degrade", refuses)
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


# ------------------------------------------------------------------------------ what is refused


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
        ({"families": "unseen", "held_out": {}}, "what training has not seen"),
        ({"families": "unseen", "held_out": "robust-r1-12k"}, "Did you mean 'robust-r1-11k'"),
        ({"families": "seen", "operators": ["motion_blur"]}, "operators given leave no operator"),
    ],
)
def test_degradations_that_do_not_fit_are_refused_before_anything_is_done(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build(tmp_path / "out", recipe(**changes), base=tmp_path)
    assert not list(tmp_path.iterdir())


# ----------------------------------------------------------------------- families and protocols


def test_seen_and_unseen_part_the_operators_of_the_data_set_that_training_used() -> None:
    held = set(recipes.load("robust-r1-11k")[0].held_out.operators)
    parts = {}
    for families in ("all", "seen", "unseen"):
        made = recipe(families=families).degradation(Path())
        assert made is not None
        parts[families] = set(made.operators)
    assert parts["unseen"] == held
    assert parts["seen"] == parts["all"] - held
    own = recipe(families="unseen", held_out={"operators": ["graffiti"]}).degradation(Path())
    assert own is not None
    assert own.operators == ("graffiti",)


def test_operators_can_be_chosen(tmp_path: Path) -> None:
    build(tmp_path / "out", recipe(4, operators=["lens blur", "graffiti"], degrade="robust-r1"))
    for entries in by_item(tmp_path / "out").values():
        for entry in entries[1:]:
            assert {a.operator for a in entry.row.applied} <= {"lens_blur", "graffiti"}
            assert entry.row.applied
    made = recipe(operators=["motion_blur"], degrade="single").degradation(Path())
    assert made is not None
    assert made.operators == ("motion_blur",)


def test_the_published_protocol_has_the_released_formulas_at_its_levels(tmp_path: Path) -> None:
    cheap = {"operators": [n for n in published.names() if not n.endswith("mean_shift")]}
    chosen = recipe(8, protocol="robust-r1", **cheap)
    assert chosen.levels == (0.0, 0.23, 0.45, 0.9)
    assert chosen.published
    out = tmp_path / "out"
    build(out, chosen)
    data = Dataset(out)
    told = data.info["settings"]["recipe"]
    assert (told["kind"], told["protocol"], told["published"]) == ("benchmark", "robust-r1", True)
    assert list(data.splits) == ["clean", "level_023", "level_045", "level_090"]
    for entries in by_item(out).values():
        clean, *damaged = (entry.row for entry in entries)
        assert not clean.applied
        (first,), *others = (row.applied for row in damaged)
        assert first.operator in published.names()
        assert "published" not in clean.degradations + damaged[0].degradations
        for (other,) in others:
            assert (other.operator, other.seeds) == (first.operator, first.seeds)
    assert not validate(out).codes("error")
    table = write_recipe(out, tmp_path / "recipe.parquet")
    source = read_spec({"kind": "houses", "name": "houses", "count": 8})
    again = replay(table, source, tmp_path / "again", device="cpu", workers=2)
    assert again["counts"]["replay"] == {"identical": data.info["counts"]["rows"]}


def test_the_published_protocol_knows_seen_and_unseen_formulas() -> None:
    parts = []
    for families in ("seen", "unseen"):
        made = recipe(protocol="robust-r1", families=families).degradation(Path())
        assert made is not None
        parts.append(set(made.operators))
    seen, unseen = parts
    assert seen
    assert unseen
    assert seen | unseen == set(published.names())
    assert not seen & unseen


def test_a_stored_recipe_builds_the_same_benchmark(tmp_path: Path) -> None:
    spec = read_spec({"kind": "scenes", "name": "scenes", "rows": 3, "size": [160, 160]})
    build(tmp_path / "one", from_source(spec, {"levels": [0.4], "families": "unseen"}))
    again, _ = load(str(tmp_path / "one" / "recipe.yaml"))
    build(tmp_path / "two", again)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_presets_are_valid() -> None:
    assert set(preset_names()) == {"a-okvqa", "mmmb", "mmstar", "r-bench", "realworldqa", "scenes"}
    for name in preset_names():
        chosen, _ = load(name)
        assert chosen.name == name
        assert all(source.license for source in chosen.sources)


# -------------------------------------------------------------------------------- readers of it


def test_the_library_everybody_uses_reads_every_level(built: Path, tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "data").symlink_to(built / "data")
    found = datasets.load_dataset(str(tmp_path / "bench"), cache_dir=str(tmp_path / "cache"))
    assert list(found) == LEVELS
    for split, rows in found.items():
        assert len(rows) == 30
        assert set(rows[0]) == {"image", "clean_image", *Example.model_fields}
        assert rows[3]["item"] == "houses/0003"
        assert rows[0]["level"] == pytest.approx(int(split[-3:]) / 100 if "_" in split else 0.0)


def test_a_benchmark_is_a_source_of_its_items(built: Path, tmp_path: Path) -> None:
    spec = read_spec({"kind": "dataset", "name": "again", "path": str(built)})
    items = list(spec.items(tmp_path, None))
    assert [item.id for item in items] == [f"houses/{i:04d}" for i in range(30)]
    assert items[1].picture == images.encode(picture(1), "png", None)
    assert items[1].question.answer_text == WORDS[1]


# ------------------------------------------------------------------------------------ commands


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
