"""One annotation by call, by mapping and by command line: the same options, the same chains."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from annotate.annotator import CHAINS, Annotator, OfflineWriter
from annotate.cli import annotate
from annotate.job import annotate_run, estimate_run, write_chains
from annotate.options import DEFAULTS, AnnotateOptions, read_options
from annotate.rows import Rows
from annotate.testing.faultserver import FaultServer, serving
from degrade import shards
from degrade.cli import app
from degrade.errors import UserError
from tests.test_annotate import KEY, Model, chains, made, rows_of


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def written(run: Path, dest: Path, questions: Path | None = None, **options: Any) -> Any:
    return write_chains(
        run, dest, options=options, questions=questions, workers=1, overwrite=False, progress=None
    )


def cli(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["annotate", *map(str, arguments)])


def test_the_command_line_has_every_option_with_its_default() -> None:
    parameters = inspect.signature(annotate).parameters
    for name, field in AnnotateOptions.model_fields.items():
        assert parameters[name].default == field.default, name
    assert read_options({}) == DEFAULTS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sed": 1}, "sed: Unknown key 'sed'. Did you mean 'seed'?"),
        ({"writer": "gpt"}, "writer: Input should be 'offline' or 'llm'"),
        ({"writer": "llm"}, "the writer 'llm' needs 'model'"),
        ({"model": "m", "judge": "j"}, "only the writer 'llm' takes 'judge', 'model'"),
        ({"writer": "llm", "model": "m", "seed": 3}, "only the writer 'offline' takes 'seed'"),
        ({"writer": "llm", "model": "m", "concurrency": 0}, "concurrency: Input should be greater"),
        ({"writer": "llm", "model": "m", "attempts": 0}, "attempts: Input should be greater"),
        ({"writer": "llm", "model": "m", "base_url": "x"}, "base_url: the base URL must look like"),
        ({"writer": "llm", "model": "m", "max_cost": -1}, "max_cost: Input should be greater"),
    ],
)
def test_options_that_are_not_allowed_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_options(given)
    assert message in str(caught.value)
    assert "In the options of annotate" in str(caught.value)


def test_a_mapping_a_call_and_the_command_line_write_the_same_chains(tmp_path: Path) -> None:
    run = made(tmp_path, 5)
    questions = tmp_path / "questions.jsonl"
    options = AnnotateOptions(seed=4)
    called = annotate_run(run, tmp_path / "called", options, questions=questions)
    mapped = written(run, tmp_path / "mapped", questions, writer="offline", seed=4)
    result = cli(run, tmp_path / "cli", "--questions", questions, "--seed", 4, "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert called is not None
    for summary in (called, mapped, printed):
        assert summary["counts"] == called["counts"]
        assert summary["unmatched_questions"] == 0
        assert summary["speed"]["rows"] == 5
    first, *others = [(tmp_path / d / CHAINS).read_bytes() for d in ("called", "mapped", "cli")]
    assert others == [first, first]
    again = written(run, tmp_path / "mapped", questions, writer="offline", seed=4)
    assert (again["already_finished"], again["speed"]["rows"]) == (True, 0)


def test_a_dry_run_of_the_grammar_is_refused(tmp_path: Path) -> None:
    run = made(tmp_path, 1)
    with pytest.raises(UserError, match="--writer llm"):
        estimate_run(run, tmp_path / "chains", DEFAULTS)


def test_a_batch_that_is_pending_gives_nothing_yet_and_says_so(tmp_path: Path) -> None:
    run, news = made(tmp_path, 3), list[str]()
    with serving(FaultServer(Model(tmp_path))) as server:
        given = {"writer": "llm", "model": "gpt-4o-mini", "base_url": server.url}
        options = read_options({**given, "batch_api": True})
        for _ in range(12):
            summary = annotate_run(
                run, tmp_path / "chains", options,
                questions=tmp_path / "questions.jsonl", news=news.append,
            )  # fmt: skip
            if summary is not None:
                break
        assert "handed in" in news[0]
        assert summary is not None
        assert summary["counts"]["statuses"] == {"ok": 3}
        assert summary["bill"]["in_all"]["requests"] == server.requests
    assert len(chains(tmp_path / "chains")) == 3


def test_the_summary_shows_the_bill_as_it_prints_it_for_programs(tmp_path: Path) -> None:
    run = made(tmp_path, 4)
    with serving(FaultServer(Model(tmp_path))) as server:
        common = ["--questions", tmp_path / "questions.jsonl", "--base-url", server.url]
        common += ["--writer", "llm", "--journal", tmp_path / "paid.sqlite"]
        known = cli(run, tmp_path / "known", *common, "--model", "gpt-4o-mini")
        again = cli(run, tmp_path / "known", *common, "--model", "gpt-4o-mini", "--json")
        unknown = cli(run, tmp_path / "unknown", *common, "--model", "nobody-knows")
    bill = json.loads(again.stdout)["bill"]
    total = bill["in_all"]
    assert (total["requests"], bill["this_run"]["requests"]) == (known_requests(server), 0)
    for name in ("rows", "ok", "requests", "prompt tokens", "completion tokens", "cost", "speed"):
        assert name in known.output
    assert f"{total['prompt_tokens']:,}" in known.output
    assert f"${total['cost_micro_usd'] / 1e6:.4f}" in known.output
    assert "requests per second" in known.output
    assert "distinct 3" in known.output
    assert "unknown" in unknown.output
    assert "--prices" in unknown.output
    assert "--prices" not in known.output
    assert len(list(rows_of(tmp_path))) == 4


def asked(run: Path, tmp_path: Path, *lines: dict[str, Any]) -> list[Any]:
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return [item.question for item in Rows(run, path, None)]


def test_a_question_with_id_and_path_is_found_by_either(tmp_path: Path) -> None:
    run = made(tmp_path, 2, copies=2)
    ids = [item.row.id for item in Rows(run, None, None)]
    paths = [item.row.source_path for item in Rows(run, None, None)]
    assert ids[1] not in paths
    assert paths[0] == paths[1]
    both = {"id": ids[0], "source_path": paths[0], "question": "A?"}
    assert [q.question for q in asked(run, tmp_path, both)] == ["A?", "A?", "", ""]
    # Where each copy has its own, the id decides.
    second = {"id": ids[1], "source_path": paths[0], "question": "B?"}
    assert [q.question for q in asked(run, tmp_path, both, second)] == ["A?", "B?", "", ""]
    # An id of elsewhere does no harm where the path is known.
    moved = both | {"id": "elsewhere/1"}
    assert [q.question for q in asked(run, tmp_path, moved)] == ["A?", "A?", "", ""]
    with pytest.raises(UserError, match=f"several questions about '{paths[0]}'"):
        asked(run, tmp_path, both, second | {"id": "another"})


def test_an_answer_that_is_a_number_of_an_option_is_read_as_its_index(tmp_path: Path) -> None:
    run, choices = made(tmp_path, 1), ["3", "2", "1"]
    line = {"id": "000.png", "question": "How many?", "answer": 2}
    assert asked(run, tmp_path, line | {"choices": choices})[0].answer_text == "1"
    assert asked(run, tmp_path, line | {"choices": choices, "answer": "2"})[0].answer_text == "2"
    free = asked(run, tmp_path, line)[0]
    assert (free.answer_text, free.answer_as) == ("2", "")


def test_questions_about_rows_that_a_run_does_not_hold_are_counted(tmp_path: Path) -> None:
    run = made(tmp_path, 3)
    lines = (tmp_path / "questions.jsonl").read_text().splitlines()
    more = [json.dumps({"id": f"gone{i}", "question": "?"}) for i in range(4)]
    (tmp_path / "more.jsonl").write_text("\n".join([*more, *lines]))
    for finished in (False, True):
        summary = written(run, tmp_path / "chains", tmp_path / "more.jsonl")
        assert summary["unmatched_questions"] == 4
        assert summary["already_finished"] == finished
    assert (
        "unmatched questions"
        in cli(run, tmp_path / "chains", "--questions", tmp_path / "more.jsonl").output
    )


def test_a_good_file_of_questions_costs_no_second_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, 40)
    read = []
    original = shards.read_rows

    def counted(*arguments: Any) -> Any:
        for item in original(*arguments):
            read.append(item.row.id)
            yield item

    monkeypatch.setattr(shards, "read_rows", counted)
    written(tmp_path / "run", tmp_path / "chains", tmp_path / "questions.jsonl")
    assert len(read) == 40 + 1


def test_the_limit_of_the_run_is_in_force_not_pillows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path, 2)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # the pictures have 1600
    summary = written(run, tmp_path / "chains")
    assert summary["counts"]["statuses"] == {"ok": 2}
    assert Image.MAX_IMAGE_PIXELS == 100
    settings = json.loads((run / "run.json").read_text())
    settings["settings"]["max_pixels"] = 1599
    (run / "run.json").write_text(json.dumps(settings))
    summary = written(run, tmp_path / "small")
    assert summary["counts"]["statuses"] == {"picture_too_many_pixels": 2}


def test_damaged_files_are_named_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dest = made(tmp_path, 10), tmp_path / "chains"
    monkeypatch.setattr("annotate.annotator.SHARD_ROWS", 4)
    annotator = Annotator(Rows(run, None, None), dest, OfflineWriter(0, 1))
    with pytest.raises(Interrupt):
        annotator.run(progress=Interrupt.at(6))
    (marker,) = (dest / ".work").glob("shard-*")
    marker.write_text(marker.read_text()[:1000])
    with pytest.raises(UserError, match="damaged"):
        annotator.run()
    marker.unlink()
    assert annotator.run()["counts"]["ok"] == 10
    lines = (dest / CHAINS).read_text().splitlines(keepends=True)
    (dest / CHAINS).write_text("".join(lines[:2]) + lines[2][:50])
    with pytest.raises(UserError, match=r"chains.jsonl is damaged at line 3"):
        chains(dest)
    with pytest.raises(UserError, match="Cannot read"):
        chains(tmp_path)
    (run / "run.json").write_text(json.dumps({"settings": {"format": "folder"}, "counts": {}}))
    with pytest.raises(UserError, match=r"run.json is damaged"):
        Rows(run, None, None)


class Interrupt(Exception):  # noqa: N818
    """Stops a run at a row."""

    @classmethod
    def at(cls, row: int) -> Callable[[int, int], None]:
        def progress(done: int, total: int) -> None:
            if done >= row:
                raise cls

        return progress


def known_requests(server: FaultServer) -> int:
    return sum(body["model"] == "gpt-4o-mini" for body in server.bodies)
