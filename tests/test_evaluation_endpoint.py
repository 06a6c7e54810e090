"""Evaluation over real HTTP: what is sent, what comes of odd answers, and that nothing is lost."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from annotate.testing.faults import prompt_of
from annotate.testing.faultserver import FaultServer, serving
from degrade import images
from degrade.errors import UserError
from degrade.runs import read_json
from tests.endpoint_help import pictures_of, run
from tests.evaluation_help import (
    asked_number,
    benchmark,
    chain_of,
    color_of,
    entry,
    item_name,
    listed,
    right_letter,
    write_benchmark,
)
from trainer.evaluation.endpoint import sendable
from trainer.evaluation.items import Benchmark
from trainer.evaluation.records import SCORES, SUMMARY, read_answers, read_judged

pytestmark = pytest.mark.usefixtures("api_key")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return benchmark(tmp_path_factory.mktemp("bench"), items=4)


def scores(out: Path, control: str = "none") -> Any:
    return read_json(out / SCORES)["controls"][control]


# ----------------------------------------------------------------------------- what is asked


def test_a_model_that_knows_is_right_at_every_level(
    bench: Path, tmp_path: Path, knowing: FaultServer
) -> None:
    shown = run(bench, tmp_path / "out", knowing).stdout
    assert "accuracy, %" in shown
    assert "16 judged answers, 4 questions, 2 source pictures" in shown
    found = scores(tmp_path / "out")["accuracy"]
    assert {level: (e["value"], e["n"]) for level, e in found["level"].items()} == {
        "0.00": (1.0, 4), "0.25": (1.0, 4), "0.50": (1.0, 4), "1.00": (1.0, 4)
    }  # fmt: skip
    summary = read_json(tmp_path / "out" / SUMMARY)
    assert summary["counts"]["rules"] == {"none": {"exact": 16}}
    assert summary["bill"]["in_all"]["answers"] == 16
    assert summary["bill"]["in_all"]["cost_micro_usd"] > 0
    judged = list(read_judged(tmp_path / "out"))
    assert {j.operator for j in judged} == {"clean", "lens_blur", "gaussian_noise", "graffiti"}
    assert all(j.agreement == (None if j.operator == "clean" else 1.0) for j in judged)


def test_the_same_command_does_nothing_to_a_finished_evaluation(
    bench: Path, tmp_path: Path, knowing: FaultServer
) -> None:
    run(bench, tmp_path / "out", knowing)
    sent = knowing.requests
    assert "Nothing to do" in run(bench, tmp_path / "out", knowing).stdout
    again = run(bench, tmp_path / "out", knowing, "--overwrite", "--json")
    assert knowing.requests == sent, "answers are in the journal"
    assert json.loads(again.stdout)["counts"]["judged"] == 16
    with pytest.raises(UserError, match="they differ in: prompt"):
        run(bench, tmp_path / "out", knowing, "--prompt", "chain")


def test_the_rows_own_bytes_are_sent_where_endpoints_read_them(
    bench: Path, tmp_path: Path, knowing: FaultServer
) -> None:
    run(bench, tmp_path / "out", knowing, "--split", "level_050")
    items = Benchmark(bench).items(["level_050"]).items
    wanted = {i.id: {"image"} for i in items}
    own = {p["image"] for _, p in Benchmark(bench).pictures(wanted)}  # type: ignore[arg-type]
    sent = {data for body in knowing.bodies for _, data in pictures_of(body)}
    assert sent == own


@pytest.mark.parametrize(("fmt", "options", "kept"), [
    ("JPEG", {}, True),
    ("PNG", {}, True),
    ("WEBP", {"lossless": True}, False),
    ("BMP", {}, False),
])  # fmt: skip
def test_pictures_are_sent_as_they_are_or_as_png_of_the_same_pixels(
    fmt: str, options: dict[str, Any], kept: bool
) -> None:
    buffer = io.BytesIO()
    Image.effect_mandelbrot((40, 30), (-2, -1, 1, 1), 20).convert("RGB").save(
        buffer, fmt, **options
    )
    data = buffer.getvalue()
    picture = sendable(data)
    assert (picture.data == data) == kept
    before, after = (images.decode(d, 10_000).pixels for d in (data, picture.data))
    assert (before == after).all()


def test_pictures_that_viewers_turn_or_tint_are_sent_upright_and_in_rgb() -> None:
    made = Image.effect_mandelbrot((40, 30), (-2, -1, 1, 1), 20)
    turned, cmyk = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    made.convert("RGB").save(turned, "JPEG", exif=exif)
    made.convert("CMYK").save(cmyk, "JPEG")
    assert sendable(turned.getvalue()).size == (30, 40)
    assert sendable(cmyk.getvalue()).mime == "image/png"
    with pytest.raises(images.UnreadableError):
        sendable(turned.getvalue()[:200])


def test_controls_ask_without_a_picture_about_the_clean_one_and_with_the_damage_told(
    bench: Path, tmp_path: Path
) -> None:
    def sees(body: Any) -> str:
        prompt, shown = prompt_of(body), pictures_of(body)
        right = color_of(asked_number(prompt))
        if not shown or ("is degraded" in prompt and "(1.00)" in prompt):
            right = "red" if right != "red" else "blue"
        return "ABCD"[listed(prompt).index(right)]

    with serving(FaultServer(sees)) as server:
        flags = [part for c in ("blind", "clean", "told") for part in ("--control", c)]
        shown = run(bench, tmp_path / "out", server, *flags)
        assert server.requests == 16 + 4 + 16  # the clean pictures are those of level 0
    assert shown.exit_code == 0
    accuracy = {c: scores(tmp_path / "out", c)["accuracy"] for c in ("none", "blind", "clean")}
    assert [accuracy[c]["all"]["value"] for c in accuracy] == [1.0, 0.0, 1.0]
    told = scores(tmp_path / "out", "told")["accuracy"]["level"]
    assert [told[k]["value"] for k in ("0.00", "0.50", "1.00")] == [1.0, 1.0, 0.0]
    against = read_json(tmp_path / "out" / SCORES)["against_none"]
    assert against["blind"]["all"]["value"] == -1.0
    assert against["told"]["1.00"]["value"] == -1.0
    assert against["told"]["0.50"]["n"] == 4


def test_circular_evaluation_asks_all_rotations_and_wants_all_right(
    bench: Path, tmp_path: Path
) -> None:
    with serving(FaultServer(lambda body: "A")) as server:
        run(bench, tmp_path / "out", server, "--circular")
        assert server.requests == 4 * 16
    found = scores(tmp_path / "out")
    assert found["accuracy"]["all"]["value"] == 0.0
    assert found["vanilla"]["value"] == 0.25  # house 0 is red, and red is A
    with serving(FaultServer(right_letter)) as server:
        run(bench, tmp_path / "right", server, "--circular")
    assert scores(tmp_path / "right")["accuracy"]["all"]["value"] == 1.0


def test_chains_are_judged_by_their_last_block_and_for_what_they_perceive(
    bench: Path, tmp_path: Path
) -> None:
    items = {i.id: i for i in Benchmark(bench).items().items}
    by_picture = {i.digests["image"]: i for i in items.values()}

    def seeing(body: Any) -> str:
        import hashlib

        ((_, data),) = pictures_of(body)
        item = by_picture[hashlib.sha256(data).hexdigest()]
        words = "The door looks red. " * round(1 + 10 * item.intensity_sum)
        return chain_of(item.types, item.question.answer, words.strip())

    with serving(FaultServer(seeing)) as server:
        run(bench, tmp_path / "out", server, "--prompt", "chain")
    found = scores(tmp_path / "out")
    assert found["accuracy"]["all"]["value"] == 1.0
    assert found["perception"]["all"]["exact_match"]["value"] == 1.0
    assert found["cost"]["all"]["validity"]["value"] == 1.0
    assert found["cost"]["all"]["reasoning_damage_spearman"]["value"] == pytest.approx(1.0)
    assert {j.rule for j in read_judged(tmp_path / "out")} == {"tag"}


# ------------------------------------------------------------------------------ odd answers

ODD = {
    # what the model says, the status of the answer, the rule, whether it is right
    0: ("refusal", "", "refused", "refused", 0.0),
    1: ("filter", "", "filtered", "filtered", 0.0),
    2: ("null", "", "empty", "empty", 0.0),
    3: ("", "I'm sorry, I can't help with that.", "ok", "refusal", 0.0),
    4: ("", "The street is long and the sky is gray. " * 20, "ok", "rambling", 0.0),
    5: ("", "<ANSWER>A<ANSWER_END>" * 30, "ok", "tag_repeated", 0.0),
    6: ("", "<ANSWER>A<ANSWER_END><ANSWER>C<ANSWER_END>", "ok", "tag_conflict", 0.0),
    7: ("", "It is A or D.", "ok", "several", 0.0),
    8: ("", "  \n ", "ok", "empty", 0.0),
    9: ("", "The answer is B.", "ok", "label", 1.0),
    10: ("", "<think>It may be", "ok", "unfinished", 0.0),
}  # fmt: skip


def test_refusing_rambling_repeating_and_silent_models_are_scored_by_rule_and_counted(
    tmp_path: Path,
) -> None:
    entries = [
        entry(n, 0.0, question=f"What color is the door of house {n}? #fault={fault} id=q{n}#")
        for n, (fault, *_) in ODD.items()
    ]
    bench = write_benchmark(tmp_path / "bench", entries)
    with serving(FaultServer(lambda body: ODD[asked_number(prompt_of(body))][1])) as server:
        result = run(bench, tmp_path / "out", server)
    assert result.exit_code == 0, "these are answers, if bad ones"
    answers = {a.id: a for a in read_answers(tmp_path / "out")}
    judged = {j.id: j for j in read_judged(tmp_path / "out")}
    for number, (_, _, status, rule, correct) in ODD.items():
        name = f"{item_name(number)}@0.00"
        assert answers[name].status == status, number
        assert (judged[name].rule, judged[name].correct) == (rule, correct), number
    counts = read_json(tmp_path / "out" / SUMMARY)["counts"]
    assert counts["rules"]["none"]["empty"] == 2
    assert sum(counts["rules"]["none"].values()) == counts["judged"] == len(ODD)
    assert "tag_conflict" in result.stdout
    assert scores(tmp_path / "out")["accuracy"]["all"]["value"] == pytest.approx(1 / len(ODD))


def test_an_answer_that_is_cut_off_says_so(tmp_path: Path) -> None:
    rows = [entry(0, 0.0, question="What color is the door of house 0? #fault=length id=q#")]
    bench = write_benchmark(tmp_path / "bench", rows)
    with serving(FaultServer(lambda body: "The answer is A.")) as server:
        run(bench, tmp_path / "out", server)
    (answer,) = read_answers(tmp_path / "out")
    assert answer.cut is True
    assert scores(tmp_path / "out")["cost"]["all"]["truncation"]["value"] == 1.0


def test_what_could_not_be_asked_is_in_no_figure_and_exits_3(tmp_path: Path) -> None:
    rows = [entry(n, 0.0) for n in range(4)]
    rows[1] = entry(1, 0.0, question="What color is the door of house 1? #fault=h422 id=q1#")
    rows[2] = type(rows[2])(rows[2].row, b"no picture", rows[2].clean)
    bench = write_benchmark(tmp_path / "bench", rows)
    with serving(FaultServer(right_letter)) as server:
        result = run(bench, tmp_path / "out", server)
    assert result.exit_code == 3
    assert "2 rows are in no figure: failed" in result.stdout
    counts = read_json(tmp_path / "out" / SUMMARY)["counts"]
    assert counts["failures"] == {"http_422": 1, "picture_not_a_picture": 1}
    assert counts["left_out"] == {"failed": 2}
    found = scores(tmp_path / "out")["accuracy"]["all"]
    assert (found["value"], found["n"]) == (1.0, 2)


def test_where_nothing_can_be_answered_there_is_no_score(tmp_path: Path) -> None:
    rows = [entry(n, 0.0) for n in range(2)]
    broken = [type(r)(r.row, b"", r.clean) for r in rows]
    bench = write_benchmark(tmp_path / "bench", broken)
    with serving(FaultServer(right_letter)) as server:
        with pytest.raises(UserError, match="Not one row has an answer: picture_empty_file"):
            run(bench, tmp_path / "out", server)
        assert server.requests == 0
    assert not (tmp_path / "out" / SUMMARY).exists()
