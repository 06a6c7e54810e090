"""The report: what it says is what the scores say, and what a model says stays a text."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from builders.table import Dataset
from degrade.errors import UserError
from degrade.runs import read_json
from tests.dataset_help import small_dataset
from tests.evaluation_help import benchmark, entry, write_answers, write_benchmark
from tests.evaluation_report_help import (
    Page,
    evaluated,
    fails_when_strong,
    line_of,
    run,
    says,
    shown,
)
from trainer.evaluation.config import read_options
from trainer.evaluation.report import page, samples
from trainer.evaluation.report.read import read
from trainer.evaluation.runner import Evaluation
from trainer.evaluation.table import figure
from trainer.metrics import paired_bootstrap


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return evaluated(tmp_path_factory.mktemp("report"))


def section(content: dict[str, Any], anchor: str) -> Any:
    return next(s for s in content["sections"] if s.anchor == anchor)


# ------------------------------------------------------------------------------------ the page


def test_command_writes_a_page_and_its_tables_that_need_no_network(
    made: dict[str, Path], tmp_path: Path
) -> None:
    done = run(made["weak"], made["sees"], "--to", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert [m["tag"] for m in told["models"]] == ["A", "B"]
    text = Path(told["html"]).read_text("utf-8")
    found = Page(text)
    assert not found.open
    assert not found.of("script") + found.of("link") + found.of("iframe")
    for attributes in (a for _, a in found.tags):
        for name in ("src", "href", "action", "data", "srcset"):
            target = attributes.get(name) or "#"
            assert target.startswith(("data:image/", "#")), target
    assert not re.search(r"url\(|@import", text)
    policy = [m["content"] for m in found.of("meta") if "http-equiv" in m]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    ids = [a["id"] for _, a in found.tags if "id" in a]
    assert len(set(ids)) == len(ids)
    assert {a["href"] for a in found.of("a")} <= {f"#{i}" for i in ids}


def test_every_picture_has_words_and_every_table_headings(made: dict[str, Path]) -> None:
    content = shown(made["weak"], made["sees"])
    found = Page(page.render(content, page.HTML))
    assert all((a.get("alt") or "").strip() for a in found.of("img"))
    assert len(found.of("table")) == len(found.of("caption")) == len(found.of("thead"))
    assert all(a.get("scope") in ("col", "row") for a in found.of("th"))
    for part in [*content["sections"], content["reading"]]:
        for table in part.tables:
            assert all(len(cells) + 1 == len(table.head) for _, cells in table.rows), table.caption
    everything = section(content, "accuracy").plots[0].alt
    assert "weak: 0.00: 100.0 % [" in everything
    assert "n = 12" in everything


def test_what_a_model_says_is_a_text_and_does_nothing(made: dict[str, Path]) -> None:
    text = page.render(shown(made["evil"]), page.HTML)
    found = Page(text)
    assert not found.open
    assert not found.of("script")
    assert all((a["src"] or "").startswith("data:") for a in found.of("img"))
    assert "&lt;script&gt;alert" in text
    assert "{{ 7 * 7 }}" in text
    assert "\u202e" not in text
    assert "\\u202eabc\\x07 é" in text


def test_names_cannot_break_the_page_the_plots_or_the_tables(
    made: dict[str, Path], tmp_path: Path
) -> None:
    name = "_a|b $x_1$ <i>&`*\n日"
    done = run(made["weak"], "--name", name, "--to", tmp_path)
    assert done.exit_code == 0, done.output
    assert "<i>" not in (tmp_path / "report.html").read_text("utf-8")
    lines = (tmp_path / "report.md").read_text("utf-8").splitlines()
    summary = next(line for line in lines if line.startswith("| \\_a"))
    assert summary.startswith("| \\_a\\|b $x\\_1$ \\<i\\>&\\`\\* 日 | ")


def test_report_is_the_same_bytes_again(made: dict[str, Path]) -> None:
    first, second = (shown(made["weak"], made["sees"]) for _ in range(2))
    for name in (page.HTML, page.MARKDOWN):
        assert page.render(first, name) == page.render(second, name)


def test_markdown_has_every_table_with_as_many_cells_as_headings(made: dict[str, Path]) -> None:
    content = shown(made["weak"], made["sees"])
    text = page.render(content, page.MARKDOWN)
    tables = [part for s in content["sections"] for part in s.tables]
    tables += content["reading"].tables
    blocks = re.findall(r"(?:^\|.*\| *\n)+", text, re.MULTILINE)
    assert len(blocks) == len(tables) + 1  # and the summary
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block


# --------------------------------------------------------------------------------- the figures


def test_figures_are_those_of_the_scores_with_n_in_every_cell(made: dict[str, Path]) -> None:
    content = shown(made["weak"])
    scores = read_json(made["weak"] / "scores.json")["controls"]["none"]
    table = section(content, "accuracy").tables[0]
    for level, found in scores["accuracy"]["level"].items():
        where = "clean" if level == "0.00" else f"intensity {level}"
        cells = line_of(table, where)
        assert cells[0] == (figure(found), "n = 12")
        kept = scores["robustness"]["level"].get(level)
        assert cells[1].text == figure(kept["drop"] if kept else None)
    names = {"accuracy", "operators", "tokens"}
    figures = (c for n in names for t in section(content, n).tables for _, cs in t.rows for c in cs)
    assert all(re.fullmatch(r"n = \d+", c.n) for c in figures if c.text != "-")


def test_most_damaging_operators_come_first_with_drop_interval_and_n(
    made: dict[str, Path],
) -> None:
    table = section(shown(made["weak"]), "operators").tables[0]
    assert "3 of 3" in table.caption
    scores = read_json(made["weak"] / "scores.json")["controls"]["none"]["robustness"]["operator"]
    # All lose everything at 1, so that names decide; graffiti alone loses at 0.5.
    assert [name for name, _ in table.rows] == ["gaussian noise", "graffiti", "lens blur"]
    assert line_of(table, "graffiti")[1].text.startswith("100.0 [")
    assert line_of(table, "lens blur")[1].text.startswith("0.0 [")
    for name, cells in table.rows:
        found = scores[name.replace(" ", "_")]["level"]["1.00"]["drop"]
        assert cells[2] == (figure(found), "n = 4")


def test_operators_are_ordered_by_what_they_cost(made: dict[str, Path]) -> None:
    table = section(shown(made["odd"]), "operators").tables[0]
    drops = [(name, cells[2].text.split()[0]) for name, cells in table.rows]
    assert drops == [("graffiti", "75.0"), ("lens blur", "50.0"), ("gaussian noise", "0.0")]


def test_map_has_every_operator_at_every_level_and_clean(made: dict[str, Path]) -> None:
    plot = section(shown(made["weak"]), "operators").plots[0]
    for name in ("graffiti", "gaussian noise", "lens blur"):
        assert f"{name}: clean: 100.0 %" in plot.alt
    assert "0.50: 0.0 %" in plot.alt[plot.alt.index("graffiti") :]
    drawn = plot.image.decode()
    assert drawn.count('<g id="text_') >= 2 * 3 * 4  # a number and an n in each cell


def test_perception_shows_bias_and_false_alarms_and_says_who_has_none(
    made: dict[str, Path],
) -> None:
    part = section(shown(made["weak"], made["sees"]), "perception")
    assert part.text[0].startswith("A (weak) was not asked to name degradations")
    table = part.tables[0]
    assert line_of(table, "B, intensity 0.50")[0].text.startswith("100.0 [")
    assert line_of(table, "B, intensity 0.50")[6].text.startswith("-0.10")
    assert line_of(table, "B, clean")[4] == ("100.0 [54.1, 100.0]", "n = 12")  # of 6 pictures
    alone = section(shown(made["weak"]), "perception")
    assert not alone.plots
    assert not alone.tables


def test_families_of_operators_have_curves_of_their_own(made: dict[str, Path]) -> None:
    part = section(shown(made["weak"], unseen=("graffiti",)), "accuracy")
    seen, unseen = part.tables[1:]
    assert line_of(seen, "weak")[2] == ("100.0 [54.1, 100.0]", "n = 8")  # of 6 pictures
    assert line_of(unseen, "weak")[2] == ("0.0 [0.0, 60.2]", "n = 4")
    assert line_of(unseen, "weak")[0].text.startswith("100.0 ")
    assert len(part.plots) == 3
    assert len(section(shown(made["weak"]), "accuracy").plots) == 1


def test_unseen_operators_come_from_the_recipe_or_the_command(
    made: dict[str, Path], tmp_path: Path
) -> None:
    bench = benchmark(tmp_path / "bench", items=6)
    info = read_json(bench / "dataset.json")
    info["settings"]["recipe"]["held_out"] = {"operators": ["graffiti"]}
    (bench / "dataset.json").write_text(json.dumps(info))
    out = says(bench, tmp_path / "eval", fails_when_strong)
    assert run(out).exit_code == 0
    assert "Operators not in training" in (out / "report.html").read_text("utf-8")
    done = run(made["weak"], "--unseen", "grafiti")
    assert isinstance(done.exception, UserError)
    assert "Did you mean 'graffiti'?" in str(done.exception)


def test_models_are_compared_paired_with_mcnemar(made: dict[str, Path]) -> None:
    part = section(shown(made["weak"], made["sees"]), "comparison")
    a, b = read((made["weak"], made["sees"]))
    expected = paired_bootstrap(
        [r.correct for r in a.judged],
        [r.correct for r in b.judged],
        [r.group for r in a.judged],
        100,
        0,
    )
    cells = line_of(part.tables[0], "all")
    assert cells[2].text == figure(expected._asdict())
    # A is wrong in 12 rows at 1 and in 4 at 0.5 and B never, about 6 pictures: p = 2 / 2^6, exact.
    assert cells[4] == ("0 / 16", "n = 48")
    assert cells[5] == ("0.031 (exact)", "n = 6")
    assert line_of(part.tables[0], "clean")[5].text == "1.000 (exact)"
    corruption = next(t for t in part.tables if t.caption.startswith("Corruption"))
    assert line_of(corruption, "B (sees)")[0].text.startswith("0.0")
    assert line_of(corruption, "B (sees)")[2].text == "0 / 0"
    back = section(shown(made["sees"], made["weak"]), "comparison")
    corruption = next(t for t in back.tables if t.caption.startswith("Corruption"))
    # The first is never wrong: there is no ratio for any of the three operators.
    assert [c.text for c in line_of(corruption, "B (weak)")] == ["-", "-", "3 / 3"]


# -------------------------------------------------------------------------------- the failures


def test_failures_show_clean_beside_degraded_and_what_was_said(made: dict[str, Path]) -> None:
    found = shown(made["weak"], made["sees"], failures=3)["samples"]
    assert len(found) == 3
    assert len({one.damage.partition("(")[0] for one in found}) == 3  # each operator once
    stored = {e.row.id: e for e in Dataset(made["bench"]).entries()}
    for one in found:
        entry_ = stored[one.id]
        assert one.note == "right about the clean picture, wrong here"
        for picture, data in ((one.clean, entry_.clean), (one.degraded, entry_.image)):
            assert picture is not None
            pixels = [Image.open(io.BytesIO(d)).convert("RGB") for d in (picture.data, data)]
            assert pixels[0].tobytes() == pixels[1].tobytes()
        assert one.choices == entry_.row.choices
        assert one.answer == entry_.row.answer_text
        assert [r.verdict for r in one.replies] == ["wrong", "right"]
        applied = entry_.row.applied[0]
        assert all(p.name in one.record[0] for p in applied.params)
        assert f"intensity {applied.intensity:.2f}" in one.record[0]


def test_failures_take_operators_in_turns_and_what_was_known_first(made: dict[str, Path]) -> None:
    known = [row for _, row in samples.chosen(read([made["weak"]]), 12)]
    assert all(row.level == 1 for row in known)
    for start in range(0, 12, 3):
        assert len({row.operator for row in known[start : start + 3]}) == 3
    odd = [row for _, row in samples.chosen(read([made["odd"]]), 3)]
    never = {f"scenes/{n:03d}" for n in range(3)}
    assert {row.operator for row in odd} == {"graffiti", "lens_blur", "gaussian_noise"}
    assert [row.operator for row in odd if row.item in never] == ["gaussian_noise"]  # none else
    everything = [row.id for _, row in samples.chosen(read([made["weak"], made["odd"]]), 100)]
    assert len(set(everything)) == len(everything)


def test_large_pictures_are_reduced_and_long_answers_cut_off_and_both_are_said(
    made: dict[str, Path],
) -> None:
    big = io.BytesIO()
    Image.new("RGB", (900, 600), "red").save(big, "PNG")
    picture = samples._shown({"bytes": big.getvalue()})
    assert picture is not None
    assert (picture.width, picture.height, picture.reduced) == (448, 299, True)
    assert samples._shown({"bytes": b"no picture"}) is None
    model = read([made["weak"]])[0]
    row = model.judged[0]
    long = model.answers[row.id].model_copy(update={"text": "a" * 5000})
    model.answers[row.id] = long
    reply = samples._reply(model, row.id, row)
    assert (len(reply.text), reply.left_off) == (1500, 3500)


def test_no_failures_or_none_asked_for_is_said(made: dict[str, Path]) -> None:
    content = shown(made["sees"])
    assert content["samples"] == []
    assert "There is no wrong answer about a damaged picture" in page.render(content, page.HTML)
    assert "Failures to look at" not in page.render(shown(made["weak"], failures=0), page.HTML)


# --------------------------------------------------------------------------- what is not there


def test_evaluation_without_clean_level_has_no_drop_and_says_so(tmp_path: Path) -> None:
    bench = write_benchmark(
        tmp_path / "bench", (entry(n, level) for level in (0.5, 1.0) for n in range(6))
    )
    out = says(bench, tmp_path / "eval", fails_when_strong)
    content = shown(out)
    text = page.render(content, page.HTML)
    assert "what is lost to damage cannot be said" in text
    assert "no clean level to compare with" in section(content, "operators").tables[0].caption
    assert section(content, "operators").tables[0].rows[0][0] == "graffiti"
    assert all(one.note == "wrong" for one in content["samples"])


def test_data_set_without_levels_is_shown_by_summed_intensity(tmp_path: Path) -> None:
    data = small_dataset(tmp_path / "data", rows=24)
    rows = [e.row for e in Dataset(data).entries("train", pictures=False)]
    said = [r.choices[r.answer_index - i % 2] for i, r in enumerate(rows)]
    lines = [{"id": r.id, "answer": text} for r, text in zip(rows, said, strict=True)]
    answers = write_answers(tmp_path / "a.jsonl", lines)
    options = read_options({"resamples": 100, "splits": ("train",)})
    assert Evaluation(data, tmp_path / "eval", options, [answers]).run()
    part = section(shown(tmp_path / "eval"), "accuracy")
    cells = line_of(part.tables[0], "a")
    assert cells[0].n == "n = 24"
    assert sum(int(c.n.split()[-1]) for c in cells[1:] if c.n) == 24
    assert "data set without levels" in part.text[0]
    assert run(tmp_path / "eval").exit_code == 0
