"""Which requests a row takes, what each of them may know, and what an edit costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from annotate.annotator import Annotator, OfflineWriter
from annotate.ask import LlmOptions, json_object
from annotate.checks import check
from annotate.depth import target
from annotate.gateway import Gateway
from annotate.llm import LlmWriter
from annotate.offline import write
from annotate.rows import Rows
from annotate.testing.cases import cases, plain_chain
from annotate.testing.faults import prompt_of
from annotate.testing.faultserver import FaultServer, serving
from annotate.testing.mutants import KINDS, mutants
from degrade.chat import Endpoint, Limits
from degrade.schema import Chain, Question, Row
from tests.test_annotate import CHOICES, KEY, Model, annotated, chains, made, rows_of

EDITED = 3  # the row that is edited; it is damaged
ALL = ("influence", "reasoning", "conclusion")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


class Staged(Model):
    """The obedient model, which can also be asked for all parts at once, with a fence around."""

    def __call__(self, body: dict[str, Any]) -> str:
        words = prompt_of(body)
        if "=== First task" not in words:
            return super().__call__(body)
        chain = self.parts[words.split("id=")[1].split("#")[0]]
        said = json.dumps({part: getattr(chain, part) for part in ALL})
        return said if "response_format" in body else f"Here you are:\n```json\n{said}\n```"


def stage(body: dict[str, Any]) -> str:
    return str(body["response_format"]["json_schema"]["name"])


def pictures(body: dict[str, Any]) -> int:
    content = body["messages"][0]["content"]
    return 0 if isinstance(content, str) else sum(p["type"] == "image_url" for p in content)


def changed(tmp_path: Path, what: str) -> dict[Path, bytes]:
    """Edit one row; what the files held before."""
    folder = {"degraded": tmp_path / "run" / "images", "clean": tmp_path / "src"}.get(what)
    path = folder / f"{EDITED:03d}.png" if folder else tmp_path / "questions.jsonl"
    before = path.read_bytes()
    if folder:
        with Image.open(path) as image:
            image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(path)
    else:
        lines = path.read_text().splitlines()
        lines[EDITED] = json.dumps(json.loads(lines[EDITED]) | {what: EDITS[what][0]})
        path.write_text("\n".join(lines))
    return {path: before}


EDITS: dict[str, tuple[Any, tuple[str, ...]]] = {
    # What is edited, and who sees it. The conclusion sees what the reasoning came out as.
    "answer": ("0", ("conclusion",)),
    "question": (f"Which sign number {EDITED} does a driver see there? id={EDITED}#", ALL),
    "choices": ([*CHOICES[:3], "a bench", CHOICES[3]], ("conclusion", "reasoning")),
    "caption": ("A sign stands beside some road near trees.", ("conclusion", "reasoning")),
    "rationales": (["It stands beside the road."], ()),
    "degraded": (None, ("influence",)),
    "clean": (None, ("influence", "reasoning")),
}


@pytest.mark.parametrize("stages", ["staged", "combined"])
def test_an_edit_costs_the_requests_that_see_it(tmp_path: Path, stages: str) -> None:
    made(tmp_path, 6)
    options = {"stages": stages, "reveal_answer": stages == "combined"}
    with serving(FaultServer(Staged(tmp_path))) as server:
        annotated(tmp_path, server, options=options)
        assert server.requests == (6 if stages == "combined" else 3 * 6)
        costs: dict[str, tuple[str, ...]] = {}
        for what in EDITS:
            before = changed(tmp_path, what)
            server.answer = Staged(tmp_path)
            server.bodies.clear()
            annotated(tmp_path, server, out=what, options=options)
            assert all(f"id={EDITED}#" in prompt_of(body) for body in server.bodies)
            costs[what] = tuple(sorted(map(stage, server.bodies)))
            for path, data in before.items():
                path.write_bytes(data)
    if stages == "staged":
        assert costs == {what: tuple(sorted(seen)) for what, (_, seen) in EDITS.items()}
    else:
        assert costs == {what: ("combined",) * bool(seen) for what, (_, seen) in EDITS.items()}


def test_who_reasons_sees_neither_answer_nor_damage_nor_what_names_them(tmp_path: Path) -> None:
    made(tmp_path, 5)
    model = Staged(tmp_path)
    wrong = "It is certainly a mailbox and nothing else on this road."
    model.lies["2", "conclusion"] = [wrong] * 2  # told: "the answer is 'a speed limit'"
    with serving(FaultServer(model)) as server:
        summary = annotated(tmp_path, server)
        asked = server.bodies
    assert summary["counts"]["ok"] == 5
    assert chains(tmp_path / "chains")[2].attempts == 3
    for body in asked:
        words = prompt_of(body)
        if stage(body) == "reasoning":
            assert pictures(body) == 1
            outside = words.replace(json.dumps(CHOICES), "")
            assert not [choice for choice in CHOICES if choice in outside]
            assert "was refused" not in words
        elif stage(body) == "influence":
            assert pictures(body) == (2 if "id=" in words else 1)
        else:
            assert pictures(body) == 0
    told = [body for body in asked if "was refused" in prompt_of(body)]
    assert [stage(body) for body in told] == ["conclusion"] * 2, (
        "only what was refused is paid anew"
    )


@pytest.mark.parametrize(("part", "more"), [("influence", 1), ("reasoning", 2), ("conclusion", 1)])
def test_what_is_refused_is_asked_for_anew_alone(tmp_path: Path, part: str, more: int) -> None:
    made(tmp_path, 3)
    model = Staged(tmp_path)
    lie = f"I am sorry, I cannot help with that. {getattr(model.parts['2'], part)}"
    model.lies["2", part] = [lie]
    with serving(FaultServer(model)) as server:
        annotated(tmp_path, server)
        told = [body for body in server.bodies if "was refused" in prompt_of(body)]
        assert [stage(body) for body in told] == [part]
        assert len(server.bodies) == 3 * 3 + more, "a conclusion follows its reasoning"
    row = chains(tmp_path / "chains")[2]
    assert (row.status, row.attempts) == ("ok", 2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_finding_of_a_part_begins_with_its_name(kind: str) -> None:
    """By it the writer knows whom to ask anew."""
    shared = {"format", "types", "intensities", "answer", "repetition"}
    for case, text in mutants(kind, cases(1000, seed=5), 4, plain_chain):
        for finding in check(Chain.parse(text), case.row, case.question, case.target):
            first = finding.detail.split(" ")[0].rstrip(":").lower()
            assert first in ALL or finding.code in shared, finding


def test_a_caption_that_stands_for_the_answer_is_not_shown_to_who_reasons(tmp_path: Path) -> None:
    made(tmp_path, 3)
    caption = "A road sign with id=1# stands beside a quiet road near some trees."
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps({"id": "001.png", "caption": caption}))
    seen: dict[bool, bool] = {}
    for reveal in (False, True):
        with serving() as server:
            annotated(
                tmp_path, server, out=f"r{reveal}", options={"reveal_answer": reveal, "attempts": 1}
            )
            reasons = [prompt_of(b) for b in server.bodies if stage(b) == "reasoning"]
        seen[reveal] = any(caption in words for words in reasons)
        (tmp_path / "paid.sqlite").unlink()
    assert seen == {False: False, True: True}


@pytest.mark.parametrize("structured", ["schema", "text"])
def test_all_parts_at_once_take_one_request_a_row(tmp_path: Path, structured: str) -> None:
    made(tmp_path, 5)
    options = {"stages": "combined", "reveal_answer": True, "structured": structured}
    with serving(FaultServer(Staged(tmp_path))) as server:
        summary = annotated(tmp_path, server, options=options)
        assert summary["counts"]["statuses"] == {"ok": 5}
        assert server.requests == 5
        prompts = [prompt_of(body) for body in server.bodies]
    # Put together from the files of the single parts.
    for part in ("You describe what damage", "You reason about the content", "You state the concl"):
        assert any(part in words for words in prompts)


@pytest.mark.parametrize("stages", ["staged", "combined"])
def test_a_dry_run_counts_what_an_obedient_model_is_asked(tmp_path: Path, stages: str) -> None:
    made(tmp_path, 12)
    options = LlmOptions(model="gpt-4o-mini", stages=stages, reveal_answer=True)
    with serving(FaultServer(Staged(tmp_path))) as server:
        endpoint = Endpoint(base_url=server.url)
        gateway = Gateway(endpoint, tmp_path / "other.sqlite", Limits(), None)
        found = gateway.estimate(LlmWriter(options, gateway.open, 4), rows_of(tmp_path))
        assert server.requests == 0
        annotated(tmp_path, server, options=options.model_dump(exclude={"model"}))
        assert found["requests"] == server.requests


def test_what_no_chain_can_hold_is_kept_as_failed_and_nothing_is_paid(tmp_path: Path) -> None:
    made(tmp_path, 3)
    items = [
        {"question": "What is it? id=0#", "answer": "<ANSWER>"},
        {"question": "What is it? id=1#", "answer": "a\u0007b"},
        {"question": "What is it? id=2#", "caption": "A road."},
    ]
    lines = [json.dumps({"id": f"{i:03d}.png", **item}) for i, item in enumerate(items)]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines))
    with serving() as server:
        summary = annotated(tmp_path, server)
        assert server.requests == 0
    assert summary["counts"]["statuses"] == {"unwritable": 3}
    assert all(a.detail for a in chains(tmp_path / "chains"))


def test_rows_that_nothing_is_known_of_are_described_by_what_is_measured(tmp_path: Path) -> None:
    run = made(tmp_path, 3)
    Annotator(Rows(run, None, None), tmp_path / "offline", OfflineWriter(0, 1)).run()
    described = {a.id: a.chain for a in chains(tmp_path / "offline")}

    def answer(body: dict[str, Any]) -> str:
        # Such prompts name no row; the answer that they are led to does.
        words = prompt_of(body)
        fits = [c for c in described.values() if c and json.dumps(c.answer) in words]
        chain = fits[0] if fits else next(c for c in described.values() if c)
        part = stage(body).replace("depth", "reasoning")
        return json.dumps({"text": getattr(chain, part)})

    (tmp_path / "questions.jsonl").write_text('{"id": "000.png"}')
    with serving(FaultServer(answer)) as server:
        annotated(tmp_path, server, options={"attempts": 1})
        told = [prompt_of(b) for b in server.bodies if stage(b) == "conclusion"]
    written = [a for a in chains(tmp_path / "chains") if a.chain]
    assert len(written) == 3
    for row in written:
        assert row.chain is not None
        wanted = described[row.id]
        assert wanted is not None
        assert row.chain.answer == wanted.answer
        assert any(json.dumps(wanted.answer) in words for words in told)


# ------------------------------------------------------------------------- what an answer means

NUMBERS = ("3", "2", "1", "4")


@pytest.mark.parametrize(
    ("given", "form", "meant"), [("2", "index", "1"), ("2", "text", "2"), ("C", "letter", "1")]
)
def test_answer_as_decides_what_an_answer_means(
    tmp_path: Path, given: str, form: str, meant: str
) -> None:
    made(tmp_path, 2)
    question = "How many signs stand there? id=1#"
    item = {
        "id": "001.png", "question": question, "choices": NUMBERS, "answer": f" {given}",
        "answer_as": form,
    }  # fmt: skip
    first = (tmp_path / "questions.jsonl").read_text().splitlines()[0]
    (tmp_path / "questions.jsonl").write_text(f"{first}\n{json.dumps(item)}")
    with serving() as server:
        model = Staged.__new__(Staged)
        rows = list(rows_of(tmp_path))
        asked = rows[1].question.model_copy(update={"answer": given})
        model.parts = {"0": write(rows[0].row, rows[0].question, None, 3)}
        model.parts["1"] = write(rows[1].row, asked, None, 3)
        model.clean, model.lies = model.parts["1"].influence, {}
        server.answer = model
        annotated(tmp_path, server, options={"reveal_answer": True})
        told = {stage(b): prompt_of(b) for b in server.bodies if "id=1#" in prompt_of(b)}
        paid = server.requests
        # The same answer in other clothes is the same request.
        other = {"index": ("1", "text"), "text": ("1", "index"), "letter": ("2", "index")}[form]
        item |= {"answer": other[0], "answer_as": other[1]}
        (tmp_path / "questions.jsonl").write_text(f"{first}\n{json.dumps(item)}")
        annotated(tmp_path, server, out="again", options={"reveal_answer": True})
        assert server.requests == paid
    assert f'must lead to this answer: "{meant}"' in told["reasoning"]
    assert f'The answer is: "{meant}"' in told["conclusion"]
    row = chains(tmp_path / "chains")[1]
    assert row.status == "ok", row.findings
    assert row.chain is not None
    assert row.chain.answer == given, "as the row gives it"
    assert chains(tmp_path / "again")[1].status == "ok"


def test_a_conclusion_is_held_against_the_option_that_is_meant() -> None:
    question = Question(
        question="How many?", choices=NUMBERS, answer="2", answer_as="index",
        caption="Some signs stand beside a quiet road near some trees.",
    )  # fmt: skip
    row = Row(
        file_name="a.png", id="a.png", source_path="a.png", width=9, height=9, encoding="png",
        degradations="", applied=(),
    )  # fmt: skip
    chain = write(row, question, None)
    for said, codes in (
        (chain.conclusion, set()),
        ("So the answer is 2.", {"conclusion"}),
        ("So the answer is 1.", set()),
    ):
        other: Chain = chain.model_copy(update={"conclusion": said})
        assert {f.code for f in check(other, row, question, target(()))} == codes, said


def test_an_object_is_found_in_whatever_a_model_says_around_it() -> None:
    for text in ('{"a": 1}', 'Sure!\n```json\n{"a": 1}\n```\nAnything else?', 'x {"a": 1} y'):
        assert json_object(text) == {"a": 1}
    for text in ("", "{", "}{", "[1]", '"a"', "{a}", '{"a": 1} {"b": 2}', "{" * 5000, "null"):
        assert json_object(text) == {}, text
