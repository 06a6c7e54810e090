"""What the checks of chains promise: contradictions are caught, agreement is not refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.checks import LENGTH_HIGH, LENGTH_LOW, check
from annotate.depth import target, tokens
from annotate.lexicon import claims, plain
from annotate.offline import write
from annotate.support import contradicts, names
from annotate.terms import LABELS, TERMS
from annotate.testing import gold
from annotate.testing.cases import Case, applied, cases, plain_chain, row
from annotate.testing.mutants import KINDS, mutants
from annotate.views import damaged_view
from degrade.schema import Applied, Chain, Finding, Malformed, Question

GOLD = Path(__file__).parent / "data" / "claims.jsonl"
NONE = frozenset[str]()
QUESTION = Question(
    question="What is the man holding?",
    choices=("a kite", "an umbrella", "a cup", "a phone"),
    answer="1",
)


def case(*items: tuple[str, float], question: Question = QUESTION) -> Case:
    made = row("000001", tuple(applied(label, value) for label, value in items))
    return Case(plain_chain(made, question), made, question)


def codes(it: Case, **parts: object) -> set[str]:
    chain = it.chain.model_copy(update=parts)
    return {f.code for f in check(chain, it.row, it.question, it.target)}


def influence(text: str, *items: tuple[str, float], question: Question = QUESTION) -> set[str]:
    return codes(case(*items, question=question), influence=text)


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


# ------------------------------------------------------------------------------- the record


def test_types_and_intensities_must_equal_the_record() -> None:
    it = case(("lens blur", 0.31), ("gaussian noise", 0.72))
    first, second = it.chain.types
    assert codes(it) == set()
    assert codes(it, types=(first,)) == {"types"}
    assert codes(it, types=(second, first)) == {"types"}
    assert codes(it, types=(first, first, second)) == {"types"}
    other = second.model_copy(update={"intensity": 0.73})
    assert codes(it, types=(first, other)) == {"intensities"}


def test_a_type_counts_as_spoken_of_by_alias_or_by_a_family_with_one_member() -> None:
    assert "missing" not in influence("Defocus rounds off letters.", ("lens blur", 0.5))
    assert "missing" not in influence("The blur rounds off letters.", ("lens blur", 0.5))
    both = ("lens blur", 0.5), ("motion blur", 0.5)
    assert "missing" in influence("The blur rounds off letters.", *both)
    assert "missing" not in influence("Lens blur and motion blur hide letters.", *both)
    assert "missing" in influence("There is no lens blur here.", ("lens blur", 0.5))


def test_words_of_the_scene_are_no_claims() -> None:
    asked = Question(question="What does the graffiti on the blurry sign say?", answer="hello")
    text = "Gaussian noise covers the graffiti on the blurry sign."
    assert "invented" in influence(text, ("gaussian noise", 0.5))
    assert "invented" not in influence(text, ("gaussian noise", 0.5), question=asked)


def test_negated_degradations_are_not_claimed() -> None:
    noise = ("gaussian noise", 0.5)
    for said in (
        "Gaussian noise hides texture, but there is no motion blur.",
        "Gaussian noise hides texture without any lens flare or jpeg artifacts.",
        "Gaussian noise hides texture; blur is not present.",
        "Gaussian noise hides texture, nothing is out of focus.",
    ):
        assert "invented" not in influence(said, noise), said
    assert "invented" in influence("Gaussian noise hides texture, not only motion blur.", noise)
    assert "invented" in influence("Not even gaussian noise is worse than the lens flare.", noise)


def test_clean_pictures_may_say_so_and_claim_nothing() -> None:
    assert influence("Nothing is degraded; no blur, noise or flare disturbs the view.") == set()
    assert "invented" in influence("A little blur can be seen.")
    assert "invented" in influence("The picture is slightly degraded.")


@pytest.mark.parametrize(
    ("value", "word", "fits"),
    [
        (0.05, "slight", True),
        (0.45, "mild", True),
        (0.45, "strong", True),  # a borderline value takes the words of both its neighbours
        (0.55, "moderate", True),
        (0.95, "severe", True),
        (0.05, "severe", False),
        (0.95, "slight", False),
        (0.95, "moderate", False),
        (0.1, "heavy", False),
    ],
)
def test_adjectives_must_fit_the_intensity(value: float, word: str, fits: bool) -> None:
    for said in (
        f"The {word} motion blur hides letters.",
        f"The motion blur is {word}.",
        f"Motion blur of {word} strength hides letters.",
    ):
        assert ("severity" not in influence(said, ("motion blur", value))) == fits, said


def test_an_adjective_belongs_to_the_type_beside_it_alone() -> None:
    both = ("motion blur", 0.9), ("gaussian noise", 0.1)
    assert influence("Severe motion blur and slight gaussian noise hide letters.", *both) == set()
    assert "severity" in influence("Severe gaussian noise and motion blur hide it.", *both)
    assert "severity" not in influence("The gaussian noise is not severe; motion blur is.", *both)


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ("The jpeg compression at quality 52 frays outlines.", True),
        ("The jpeg compression at quality 25 frays outlines.", False),
        ("At quality 25, this jpeg compression frays outlines.", False),
        ("The jpeg compression frays outlines. The paper is of quality 25.", True),
    ],
)
def test_numbers_beside_a_degradation_must_be_its_parameters(said: str, fits: bool) -> None:
    assert ("parameters" not in influence(said, ("jpeg compression", 0.5))) == fits


def test_a_label_of_a_later_operator_works_by_its_name() -> None:
    fog = Applied(operator="fog_bank", version=1, stage="environment", intensity=0.8, short_side=9)
    made = row("x", (fog,))
    plan = Chain(
        types=Chain.types_of((fog,)),
        influence="The severe fog bank hides the far side, where a haze remains.",
        reasoning=case().chain.reasoning + " " + case(("graffiti", 0.6)).chain.reasoning[-140:],
        conclusion="So it is an umbrella.",
        answer="1",
    )
    assert not {"missing", "invented", "severity", "types"} & codes(Case(plan, made, QUESTION))
    silent = plan.model_copy(update={"influence": "The far side is hidden."})
    assert "missing" in codes(Case(silent, made, QUESTION))
    faint = plan.model_copy(update={"influence": "The slight fog bank hides the far side."})
    assert "severity" in codes(Case(faint, made, QUESTION))


def test_every_label_is_known_and_claimed_by_its_own_name() -> None:
    assert {t.label for t in TERMS} - {""} == set(LABELS)
    for label in LABELS:
        found = claims(plain(f"There is {label} in it."), about_damage=True)
        assert [c.term.label for c in found] == [label]


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
