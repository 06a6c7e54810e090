"""What the checks of chains promise: contradictions are caught, agreement is not refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.checks import LENGTH_HIGH, LENGTH_LOW, check
from annotate.depth import target, tokens
from annotate.offline import write
from annotate.support import contradicts, names
from annotate.terms import LABELS
from annotate.testing import gold
from annotate.testing.cases import applied, cases, plain_chain, row
from annotate.testing.mutants import KINDS, mutants
from annotate.views import damaged_view
from degrade.schema import Chain, Finding, Malformed, Question
from tests.checks_help import QUESTION, case, codes

GOLD = Path(__file__).parent / "data" / "claims.jsonl"
NONE = frozenset[str]()
# ---------------------------------------------------------------------------------- the whole


@pytest.mark.parametrize("kind", KINDS)
def test_every_planted_contradiction_is_caught_by_its_own_check(kind: str) -> None:
    n = 0
    for made, text in mutants(kind, cases(3000, seed=5), 40, plain_chain):
        found = check(Chain.parse(text), made.row, made.question, made.target)
        assert KINDS[kind].code in {f.code for f in found}, (text, found)
        n += 1
    assert n == 40


def test_valid_chains_are_never_refused() -> None:
    for made in cases(1000, seed=9):
        assert check(*made, made.target) == ()


def test_chains_of_the_offline_writer_are_never_refused() -> None:
    for made in cases(300, seed=3):
        chain = write(made.row, made.question, None)
        assert check(chain, made.row, made.question, made.target) == ()


def test_gold_sentences_raise_few_false_alarms() -> None:
    sentences = gold.read(GOLD)
    assert len(sentences) >= 200
    scores = [gold.score(s) for s in sentences]
    assert sum(bool(s.false) for s in scores) <= 2
    assert sum(len(s.missed) for s in scores) <= 2
    labelled = {label for s in sentences for label in s.claims}
    assert labelled >= set(LABELS)  # none of the 16 goes untested


def test_checks_are_quick() -> None:
    made = list(cases(400, seed=2))
    for it in made[:100]:
        check(*it, it.target)
    start = time.process_time()
    for it in made:
        check(*it, it.target)
    # 25 s for 11,000 on one core, four times over for a machine that is busy with other things.
    assert time.process_time() - start < 400 * 4 * 25 / 11_000


# ------------------------------------------------------------------------------- hostile text

_PIECES = st.sampled_from(
    [
        "<TYPE>",
        "<ANSWER_END>",
        "(((((((",
        "lens blur",
        "no ",
        "\\",
        "{0}",
        "%s",
        "\x00",
        "\ud800",
        "\u202e",
        "no motion blur, " * 200,
        "a" * 3000,
        "é" * 50,
        "🙂",
        "1" * 400,
        "not not not ",
        "severe ",
        ".",
        "!?",
        "the picture is ",
        "\n\n",
        "\u2028",
    ]
)
_HOSTILE = st.one_of(
    st.text(st.characters(), max_size=200),
    st.lists(_PIECES, max_size=30).map("".join),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    texts=st.tuples(_HOSTILE, _HOSTILE, _HOSTILE, _HOSTILE),
    asked=st.tuples(_HOSTILE, _HOSTILE, _HOSTILE, _HOSTILE),
    chosen=st.lists(st.sampled_from(LABELS), max_size=4, unique=True),
)
def test_hostile_text_gives_findings_not_exceptions(
    texts: tuple[str, ...], asked: tuple[str, ...], chosen: list[str]
) -> None:
    made = row("x", tuple(applied(label, 0.5) for label in chosen))
    chain = Chain.model_construct(
        types=Chain.types_of(made.applied),
        influence=texts[0],
        reasoning=texts[1],
        conclusion=texts[2],
        answer=texts[3],
    )
    question = Question.model_construct(
        question=asked[0], choices=(asked[1], ""), answer=asked[2], caption=asked[3], rationales=()
    )
    found = check(chain, made, question, target(made.applied))
    assert isinstance(found, tuple)
    for finding in found:
        Finding.model_validate_json(finding.model_dump_json())  # can be stored and sent


@given(st.text(max_size=100))
def test_a_text_that_is_no_chain_is_a_finding_with_its_position(text: str) -> None:
    chain = Chain.parse(text)
    assert isinstance(chain, Malformed)
    (finding,) = check(chain, case().row, QUESTION, 24)
    assert finding.code == "format"
    assert str(chain.position) in finding.detail


@pytest.mark.parametrize(
    "text", ["(" * 50_000, "no blur or " * 20_000, "the image is very " * 10_000, "a " * 60_000]
)
def test_long_hostile_text_takes_linear_time(text: str) -> None:
    it = case(("lens blur", 0.5))
    start = time.process_time()
    assert codes(it, influence=text, reasoning=text, conclusion=text)
    assert time.process_time() - start < 10


# ------------------------------------------------------------------------------- the answer


def test_the_answer_must_be_the_rows_to_the_letter() -> None:
    it = case(("lens blur", 0.5))
    assert codes(it, answer="an umbrella") == {"answer"}
    assert codes(it, answer="B") == {"answer"}
    assert "answer" in codes(it, answer="2")
    free = case(question=Question(question="What is it?", choices=("cat", "dog")))
    told = "All of it points to a dog."
    assert codes(free, answer="dog", conclusion=told) == set()
    assert codes(free, answer="1", conclusion=told) == set()
    assert "answer" in codes(free, answer="cow", conclusion=told)


@pytest.mark.parametrize(
    ("conclusion", "answer", "named"),
    [
        ("So there are three dogs.", "3", True),
        ("It is a surf board.", "surfboard", True),
        ("The boxes are stacked.", "box", True),
        ("He is on his way to a wedding in a church.", "a wedding at a church", True),
        ("The answer is not red.", "red", False),
        ("It is something other than red.", "red", False),
        ("It is not blue but red.", "red", True),
        ("Carpets are soft.", "car", False),
        ("All clues agree.", "car", False),
        ("No, he is not.", "no", True),
        ("The answer is C++.", "C++", True),
        ("The sign reads '&'.", "&", True),
    ],
)
def test_a_conclusion_names_the_answer_in_words(conclusion: str, answer: str, named: bool) -> None:
    assert names(conclusion, answer) == named


@pytest.mark.parametrize(
    ("conclusion", "other"),
    [
        ("The man holds an umbrella.", ""),
        ("It is an umbrella rather than a kite.", ""),
        ("It is an umbrella, not a cup.", ""),
        ("A man with a phone in his pocket holds an umbrella.", ""),
        ("Kite and cup are excluded. The answer is an umbrella.", ""),
        ("The umbrella is open. The answer is a kite.", "a kite"),
        ("It might be an umbrella, but the answer is a cup.", "a cup"),
        ("An umbrella is seen. So the right choice is a phone.", "a phone"),
        ("An umbrella would fit. Therefore a cup.", "a cup"),
    ],
)
def test_a_conclusion_puts_no_other_option_forward(conclusion: str, other: str) -> None:
    assert contradicts(conclusion, QUESTION, "an umbrella") == other


# ------------------------------------------------------------------------------- the scene


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("the scene is blurry.", "lens blur"),
        ("it is a dark night and a man waits.", "dark illumination"),
        ("a grainy wall stands at the back.", "gaussian noise"),
        ("the wall is covered with graffiti.", "graffiti"),
        ("the image is pixelated.", "jpeg compression"),
    ],
)
def test_damage_must_not_be_taken_for_the_scene(said: str, label: str) -> None:
    assert [x for x, _ in damaged_view(said, LABELS, NONE) if x == label]
    assert not damaged_view(said, [x for x in LABELS if x not in ("motion blur", label)][:1], NONE)


@pytest.mark.parametrize(
    "said",
    [
        "despite the dark picture, a man can be made out.",
        "the man wears a dark jacket.",
        "a night stand is beside the bed.",
        "although the image is blurry, the wheel has spokes.",
        "behind the blurred surface a bus waits.",
        "the room is not dark.",
        "in the undamaged picture the scene would be dark.",
        "the blackboard is black.",
        "the man stripes a wall.",
    ],
)
def test_knowing_of_the_damage_is_not_taking_it_for_the_scene(said: str) -> None:
    assert damaged_view(said, LABELS, NONE) == []


def test_a_dark_scene_may_be_called_dark_where_the_row_says_so() -> None:
    it = case(("dark illumination", 0.5))
    said = f"It is a dark night. {it.chain.reasoning}"
    assert "damaged_view" in codes(it, reasoning=said)
    known = QUESTION.model_copy(update={"caption": "A man at night."})
    assert "damaged_view" not in codes(it._replace(question=known), reasoning=said)


# ------------------------------------------------------------------------------- the prose


def test_length_is_bounded_by_multiples_of_the_target() -> None:
    it = case(("lens blur", 0.5), ("graffiti", 0.9))
    word = "word "
    for n, fits in (
        (int(LENGTH_LOW * it.target) - 1, False),
        (int(LENGTH_LOW * it.target) + 1, True),
        (int(LENGTH_HIGH * it.target), True),
        (int(LENGTH_HIGH * it.target) + 1, False),
    ):
        text = (word * n).strip()
        assert tokens(text) == n
        assert ("length" not in codes(it, reasoning=text)) == fits


def test_phrases_of_the_question_are_neither_leaks_nor_refusals() -> None:
    asked = Question(question="What does the record say? Please provide it.", answer="jazz")
    it = case(question=asked)
    told = "According to the record it is jazz. Please provide it."
    assert "leak" in codes(it._replace(question=QUESTION), conclusion=told)
    found = codes(it, conclusion="The record says jazz, so jazz it is.")
    assert "refusal" not in found


def test_a_finding_says_what_to_mend() -> None:
    it = case(("lens blur", 0.5))
    chain = it.chain.model_copy(update={"influence": "The graffiti hides letters."})
    told = {f.code: f.detail for f in check(chain, it.row, it.question, it.target)}
    assert "lens blur" in told["missing"]
    assert "graffiti" in told["invented"]
