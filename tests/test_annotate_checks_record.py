"""Chains against the record: types, intensities, adjectives and parameters."""

from __future__ import annotations

import pytest

from annotate.lexicon import claims, plain
from annotate.terms import LABELS, TERMS
from annotate.testing.cases import Case, row
from degrade.schema import Applied, Chain, Question
from tests.checks_help import QUESTION, case, codes


def influence(text: str, *items: tuple[str, float], question: Question = QUESTION) -> set[str]:
    return codes(case(*items, question=question), influence=text)


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
