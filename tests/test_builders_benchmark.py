"""A benchmark: the same items at every level, sharing every draw but strength, nothing lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import recipe as recipes
from builders.benchmark import BenchmarkRecipe, from_source, load, preset_names
from builders.recipe import portable
from builders.recipe_file import write_recipe
from builders.replay import replay
from builders.sources import Item, SourceSpec, read_spec
from builders.table import Dataset, Example, level_split
from builders.validate import validate
from degrade import images, ops, published
from degrade.params import Severity
from degrade.schema import Question
from tests.benchmark_help import LEVELS, build, by_item, recipe
from tests.build_help import Houses, digests
from tests.dataset_help import WORDS, picture


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


def test_the_first_items_alone_are_what_they_are_among_all(tmp_path: Path, built: Path) -> None:
    build(tmp_path / "out", recipe(30).limited(5))
    few, all_ = by_item(tmp_path / "out"), by_item(built)
    assert list(few) == list(all_)[:5]
    for item, entries in few.items():
        assert [e.image for e in entries] == [e.image for e in all_[item]]


# ----------------------------------------------------------------------- training and protocols


def test_seen_and_unseen_part_the_operators_of_the_data_set_that_training_used() -> None:
    held = set(recipes.load("robust-r1-11k")[0].held_out.operators)
    parts = {}
    for part in ("all", "seen", "unseen"):
        made = recipe(training=part).degradation(Path())
        assert made is not None
        parts[part] = set(made.operators)
    assert parts["unseen"] == held
    assert parts["seen"] == parts["all"] - held
    own = recipe(training="unseen", held_out={"operators": ["graffiti"]}).degradation(Path())
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
    for part in ("seen", "unseen"):
        made = recipe(protocol="robust-r1", training=part).degradation(Path())
        assert made is not None
        parts.append(set(made.operators))
    seen, unseen = parts
    assert seen
    assert unseen
    assert seen | unseen == set(published.names())
    assert not seen & unseen


def test_a_stored_recipe_builds_the_same_benchmark(tmp_path: Path) -> None:
    spec = read_spec({"kind": "scenes", "name": "scenes", "rows": 3, "size": [160, 160]})
    build(tmp_path / "one", from_source(spec, {"levels": [0.4], "training": "unseen"}))
    again, _ = load(str(tmp_path / "one" / "recipe.yaml"))
    build(tmp_path / "two", again)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


@pytest.mark.parametrize("key", ["training", "families"])
def test_what_training_saw_is_recorded_by_the_first_name_of_the_key_and_read_by_both(
    key: str,
) -> None:
    chosen = recipe(**{key: "unseen"})
    assert chosen.training == "unseen"
    recorded = portable(chosen)
    assert recorded["families"] == "unseen"
    assert "training" not in recorded
    assert portable(BenchmarkRecipe.model_validate(recorded)) == recorded


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
