"""The data card: true to the data set, read by the libraries that read cards, and by people."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import (
    Features,
    get_dataset_config_names,
    get_dataset_split_names,
    load_dataset,
    load_dataset_builder,
)
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image

from builders.card import as_html, command_of, write_card
from builders.card.markdown import described, fenced, packed, table
from builders.licenses import canonical, check, derivatives, on_hub
from builders.recipe_file import TABLE, write_recipe
from builders.rights import require, used
from builders.table import ASSETS, CARD, DATA, INFO, OK, Dataset, Example
from degrade.errors import UserError
from degrade.runs import pretty, read_json
from degrade.shards import features
from tests.dataset_help import small_dataset

COMMAND = "degrade-cli build dataset small.yaml OUT --source folder:photos,license=CC0-1.0"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_dataset(tmp_path_factory.mktemp("built") / "small", rows=12)
    write_card(folder, COMMAND, "me/small")
    return folder


@pytest.fixture
def data(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "small"))


def _front(folder: Path) -> dict[str, Any]:
    text = (folder / CARD).read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def _tables(folder: Path) -> list[list[list[str]]]:
    """The card's tables as a reader of Markdown sees them: rows of cells."""
    text = (folder / CARD).read_text("utf-8").split("---\n", 2)[2]
    found: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        match token.type:
            case "table_open":
                found.append([])
            case "tr_open":
                found[-1].append([])
            case "inline" if found and token.level > 3:
                found[-1][-1].append(token.content.replace("`", ""))
    return found


def _table(folder: Path, first: str) -> dict[str, list[str]]:
    """The rows of the table whose first column has a name, by that column."""
    for rows in _tables(folder):
        if rows[0][0] == first:
            return {row[0]: row[1:] for row in rows}
    raise AssertionError(f"no table of {first!r}")


# ------------------------------------------------------------------------- read by libraries


def test_datasets_loads_every_config_and_split_as_the_card_says(
    built: Path, tmp_path: Path
) -> None:
    counts = read_json(built / INFO)["counts"]["splits"]
    expected = {"default": {s: c["rows"] for s, c in counts.items()}}
    expected |= {use: {"train": n} for use, n in counts["train"]["uses"].items()}
    assert sorted(get_dataset_config_names(str(built))) == sorted(expected)
    for config, splits in expected.items():
        assert get_dataset_split_names(str(built), config) == list(splits)
        for split, rows in splits.items():
            loaded = load_dataset(str(built), config, split=split, cache_dir=str(tmp_path))
            streamed = load_dataset(str(built), config, split=split, streaming=True)
            assert len(loaded) == rows
            assert [r["id"] for r in streamed] == loaded["id"]
            assert loaded[0]["image"].size == loaded[0]["clean_image"].size
            assert set(loaded["split"]) == {split}
            if config != "default":
                assert set(loaded["use"]) == {config}


def test_the_features_of_the_card_are_those_of_the_files(built: Path) -> None:
    wanted = Features.from_dict(features(Example))
    for info in _front(built)["dataset_info"]:
        assert Features._from_yaml_list(info["features"]) == wanted
    builder = load_dataset_builder(str(built))
    assert builder.info.features == wanted
    rows = read_json(built / INFO)["counts"]["splits"]
    assert {s: i.num_examples for s, i in builder.info.splits.items()} == {
        name: c["rows"] for name, c in rows.items()
    }
    sizes = [p.stat().st_size for p in (built / DATA).iterdir()]
    assert builder.info.download_size == sum(sizes)


def test_huggingface_hub_reads_the_card(built: Path) -> None:
    card = DatasetCard.load(built / CARD)
    assert card.data.license == "cc0-1.0"
    assert card.data.language == ["en"]
    assert card.data.size_categories == ["n<1K"]
    assert card.data.pretty_name == "Small"
    assert "visual-question-answering" in card.data.task_categories
    assert yaml.safe_load(str(card.data)) == _front(built)


def test_every_pattern_finds_its_files_and_no_others(built: Path) -> None:
    for config in _front(built)["configs"]:
        seen: set[Path] = set()
        for entry in config["data_files"]:
            paths = entry["path"] if isinstance(entry["path"], list) else [entry["path"]]
            found = set(chain.from_iterable(built.glob(path) for path in paths))
            assert found
            assert not found & seen
            seen |= found
        if config["config_name"] == "default":
            assert seen == set((built / DATA).iterdir())


# -------------------------------------------------------------------------------- true to it


def test_the_tables_say_what_the_data_set_counted(built: Path) -> None:
    counts = read_json(built / INFO)["counts"]["splits"]
    splits = _table(built, "split")
    for name, c in counts.items():
        assert splits[name][:4] == [str(c[key]) for key in ("rows", "ok", "clean", "groups")]
    for first, key, offset in (
        ("stage", "stages", 0),
        ("operator", "operators", 1),
        ("operators", "per_row", 0),
        ("position", "answers", 0),
    ):
        rows = _table(built, first)
        assert rows.pop(first)[offset:] == list(counts)
        names = {n.replace("_", " ") for c in counts.values() for n in c[key]}
        assert set(rows) == names
        for name, cells in rows.items():
            raw = name if key in ("per_row", "answers") else name.replace(" ", "_")
            assert cells[offset:] == [str(c[key].get(raw, 0)) for c in counts.values()]


def test_the_rows_shown_are_rows_of_it(built: Path) -> None:
    text = (built / CARD).read_text("utf-8")
    entries = {e.row.id: e for e in Dataset(built).entries()}
    record = json.loads(re.search(r"```json\n(.*?)\n```", text, re.DOTALL)[1])  # type: ignore[index]
    entry = entries[record["id"]]
    assert (built / ASSETS / "sample-degraded.png").read_bytes() == entry.image
    assert (built / ASSETS / "sample-clean.png").read_bytes() == entry.clean
    assert f"```text\n{entry.row.chain}\n```" in text
    assert record == {k: v for k, v in entry.row.model_dump(mode="json").items() if k in record}
    assert entry.row.status == OK
    assert entry.row.applied


def test_every_column_is_explained_once(built: Path) -> None:
    rows = _table(built, "column")
    assert set(rows) == {"column", "image", "clean_image", *Example.model_fields}
    assert [name for name, (text,) in rows.items() if len(text) < 5] == []


def test_the_pictures_it_shows_are_there(built: Path) -> None:
    named = set(re.findall(r"\]\((assets/[^)]+)\)", (built / CARD).read_text("utf-8")))
    assert named == {f"{ASSETS}/{p.name}" for p in (built / ASSETS).iterdir()}
    for name in named:
        with Image.open(built / name) as image:
            assert len(image.convert("RGB").getcolors(1 << 24) or []) > 20, "not blank"


def test_writing_it_again_gives_the_same_bytes(built: Path, data: Path) -> None:
    write_card(data, COMMAND, "me/small")
    for path in (Path(CARD), *(p.relative_to(built) for p in (built / ASSETS).iterdir())):
        assert (data / path).read_bytes() == (built / path).read_bytes()


def test_limits_name_what_is_known_of_it(data: Path) -> None:
    info = read_json(data / INFO)
    info["counts"]["ok"] -= 3
    sources = info["counts"]["splits"]["validation"]["sources"]
    sources |= {"photos": 1, "drawn": sources["drawn"] - 1}
    (data / INFO).write_bytes(pretty(info))
    write_card(data, COMMAND)
    limits = (data / CARD).read_text("utf-8").split("## Known limits")[1]
    for expected in (
        "20 of 21 rows show drawn scenes",
        "0.5 of one does not hide as much as 0.5 of another",
        "written by a grammar",
        "Rows without an accepted chain: 3.",
        "Rows of the sources that could not be used: 1 (broken 1)",
    ):
        assert expected in limits


@pytest.mark.parametrize("choices", [True, False])
def test_free_answers_and_clean_rows_alone_have_a_card_too(tmp_path: Path, choices: bool) -> None:
    folder = small_dataset(tmp_path / "data", rows=2, choices=choices)
    info = read_json(folder / INFO)
    for counts in info["counts"]["splits"].values():
        counts |= {"stages": {}, "operators": {}, "intensities": {}}
    (folder / INFO).write_bytes(pretty(info))
    write_card(folder, COMMAND)
    assert len(load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))) == 2
    assert "operators.png" not in (folder / CARD).read_text()
    assert ("| position |" in (folder / CARD).read_text()) == choices


def test_a_recipe_has_a_card_without_pictures(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    made = write_recipe(data, out / TABLE)
    write_card(data, COMMAND, "me/small", out=out, table=made)
    rows = load_dataset(str(out), split="recipe", cache_dir=str(tmp_path / "cache"))
    assert rows["id"] == [e.row.id for e in Dataset(data).entries(pictures=False)]
    assert {p.name for p in (out / ASSETS).iterdir()} == {"intensities.png", "operators.png"}
    text = (out / CARD).read_text("utf-8")
    assert "degrade-cli replay recipe/recipe.parquet" in text
    assert "image_pixels_sha256" in text


# --------------------------------------------------------------------------------- edits, page


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_the_command_is_read_back_whatever_it_is(command: str) -> None:
    assert re.search(r"^`{3,}sh\n(.*?)\n`{3,}$", fenced(command, "sh"), re.M | re.S)[1] == command  # type: ignore[index]


def test_a_card_that_was_edited_is_somebody_elses(data: Path) -> None:
    assert command_of(data / CARD) == COMMAND
    text = (data / CARD).read_text("utf-8")
    for edited in (text.replace("## Splits", "## My splits"), text + "\nMore.\n", "Mine.\n"):
        (data / CARD).write_text(edited)
        assert command_of(data / CARD) is None
    (data / CARD).unlink()
    assert command_of(data / CARD) is None


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_beside_it(data: Path) -> None:
    page = _Page()
    page.feed(as_html(data).read_text("utf-8"))
    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(sources) == 5
    assert all(str(source).startswith("data:image/png;base64,") for source in sources)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"}


def test_texts_of_rows_cannot_become_markup(data: Path) -> None:
    for path in (data / DATA).iterdir():
        rows = pq.read_table(path)
        i = rows.column_names.index("question")
        evil = pa.array(["```\n<script>alert(1)</script>\n# Big\n| a | b |"] * len(rows))
        pq.write_table(rows.set_column(i, rows.schema.field("question"), evil), path)
    write_card(data, COMMAND)
    page = _Page()
    page.feed(as_html(data).read_text("utf-8"))
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags
    assert tags.count("h1") == 1


def test_without_a_card_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=CARD):
        as_html(tmp_path)


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=4))
def test_a_table_keeps_its_shape_whatever_is_in_it(rows: list[list[str]]) -> None:
    lines = table(("a", "b"), rows).split("\n")
    assert len(lines) == 2 + len(rows)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in lines)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(_JSON)
def test_packed_json_is_the_same_value(value: Any) -> None:
    assert json.loads(packed(value)) == value


def test_columns_that_share_a_text_share_it() -> None:
    class Both:
        """Two.

        Attributes:
            a, b: Said
                once.
            c: With ``code``: and a colon.
        """

    assert described(Both) == {
        "a": "Said once.",
        "b": "Said once.",
        "c": "With `code`: and a colon.",
    }


# ----------------------------------------------------------------------------------- licenses


@pytest.mark.parametrize(
    ("license", "hub", "changed"),
    [
        ("CC0-1.0", "cc0-1.0", True),
        ("cc0", "cc0-1.0", True),
        ("MIT", "mit", True),
        ("Apache-2.0", "apache-2.0", True),
        ("Public Domain", "other", True),
        ("CC-BY-4.0", "cc-by-4.0", True),
        ("cc by-sa 3.0", "cc-by-sa-3.0", True),
        ("CC BY-NC 4.0", "cc-by-nc-4.0", True),
        ("CC-BY-ND-4.0", "cc-by-nd-4.0", False),
        ("CC BY NC ND 4.0", "cc-by-nc-nd-4.0", False),
        ("cc-by-nd-4.0-international", "other", False),
        ("no derivatives", "other", False),
        ("other", "other", None),
        ("Flickr", "other", None),
        ("land-use-license", "other", None),
        ("", "other", None),
    ],
)
def test_what_a_license_allows(license: str, hub: str, changed: bool | None) -> None:
    assert on_hub(license) == hub
    assert derivatives(license) is changed


@given(st.text())
def test_any_license_has_one_name(license: str) -> None:
    assert canonical(canonical(license)) == canonical(license)


def test_rows_are_sorted_by_what_their_license_says(built: Path) -> None:
    assert used(Dataset(built)) == {"drawn": {"CC0-1.0": 21}}
    found = check({"a": {"": 3, "MIT": 2}, "b": {"CC-BY-ND-4.0": 1, "other": 4}})
    assert found.missing == {"a": {"": 3}}
    assert found.forbidden == {"b": {"CC-BY-ND-4.0": 1}}
    assert found.unsure == {"b": {"other": 4}}
    require(Dataset(built))  # does not raise; what it refuses is tested with publishing
