"""A later operator brings one file of its own: it is described, checked and read back all the same.

Its label is in no list of annotate's: clauses come from its record and from the family that a word
of the label names.
"""

from __future__ import annotations

import random

import pytest

from annotate.checks import check
from annotate.depth import target
from annotate.families import families, family_of, like
from annotate.grammar.effects import ANY, effect
from annotate.grammar.influence import shown
from annotate.grammar.numbers import named_value, plain_number
from annotate.offline import write
from annotate.terms import LABELS
from degrade import ops
from degrade.schema import Applied, Chain, Param, Question, Row
from tests.chains_help import QUESTION, applied, row, seen

LATER: dict[str, tuple[Param, ...]] = {
    "rain": (
        Param(name="rate", value=42.0, unit="mm/h"),
        Param(name="slant", value=12.3, unit="deg"),
    ),
    "jpeg2000_compression": (Param(name="compression_ratio", value=87.1, unit="x"),),
    "low_resolution": (Param(name="scale", value=0.31, unit="share of the size"),),
    "watermark": (Param(name="alpha", value=0.42, unit="share of opacity"),),
    "fog": (Param(name="visibility", value=120.0, unit="m"),),
    "salt_and_pepper_noise": (Param(name="fraction", value=0.11, unit="share of pixels"),),
    "rolling_shutter": (Param(name="skew", value=12.0, unit="px"),),
    "h264_codec": (Param(name="qp", value=41.0, unit="QP"),),
    "white_balance_error": (Param(name="shift", value=-80.0, unit="mired"),),
    "vignetting": (Param(name="corner", value=-2.1, unit="EV"),),
    "moire": (),
    "lens_distortion": (Param(name="k1", value=0.1234, unit=""),),
    "bit_error": (Param(name="ber", value=0.00012, unit="1"),),
    "over_sharpen": (),
    "contrast_loss": (),
    "gaussian_blur": (Param(name="sigma", value=3.1, unit="px"),),
    "zorbification": (Param(name="odd|name{x}", value=1.0, unit="<b>"),),
}


def later(name: str, intensity: float) -> Applied:
    return Applied(
        operator=name, version=1, stage="environment", intensity=intensity, short_side=480,
        params=LATER[name],
    )  # fmt: skip


def judged(r: Row, influence: str = "", reasoning: str = "") -> set[str]:
    """Codes found in a chain of the offline writer's in which one part was replaced."""
    chain = write(r, QUESTION, None)
    parts = {k: v for k, v in {"influence": influence, "reasoning": reasoning}.items() if v}
    found = check(chain.model_copy(update=parts), r, QUESTION, target(r.applied))
    return {f.code for f in found}


@pytest.mark.parametrize("name", LATER)
def test_a_label_without_texts_is_named_described_and_accepted(name: str) -> None:
    label = name.replace("_", " ")
    numbers = 0
    for i in range(60):
        given = [later(name, round(0.02 + 0.97 * i / 60, 2))]
        given += [applied("lens_blur", 0.4)] if i % 3 == 0 else []
        r = row(f"{name}{i}", *given)
        chain = write(r, QUESTION, seen(random.Random(i)) if i % 2 else None)
        assert check(chain, r, QUESTION, target(r.applied)) == (), chain.render()
        assert label in chain.influence.lower()
        assert Chain.parse(chain.render()) == chain
        assert not set("{}|[]~") & set(chain.influence)
        numbers += f"{given[0].intensity:.2f}" in chain.influence
    assert numbers > 5  # "rain at 0.62"


@pytest.mark.parametrize("intensity", [0.3, 0.9])
@pytest.mark.parametrize("name", ops.names())
def test_every_operator_of_the_catalogue_is_described_and_accepted(
    name: str, intensity: float
) -> None:
    operator = ops.get(name)
    for i in range(6):
        r = row(f"{name}{i}", operator.sample(intensity, (0, i), 480))
        chain = write(r, QUESTION, seen(random.Random(i)) if i % 2 else None)
        assert check(chain, r, QUESTION, target(r.applied)) == (), chain.render()
        assert Chain.parse(chain.render()) == chain
        told = Chain.types_of(r.applied)
        assert [t.label for t in told] == [operator.label]
        # Another's damage would not pass for this one's: the checks do look.
        other = row(r.id, later("rain" if name != "rain" else "fog", intensity))
        assert check(chain, other, QUESTION, target(other.applied)) != ()


def test_parameters_are_said_with_name_and_unit() -> None:
    said = " ".join(write(row(f"{i}", later("rain", 0.6)), QUESTION, None).influence
                    for i in range(40))  # fmt: skip
    assert "a rate of 42 millimeters an hour" in said
    assert "a slant of 12.3 degrees" in said
    said = " ".join(write(row(f"{i}", later("watermark", 0.6)), QUESTION, None).influence
                    for i in range(40))  # fmt: skip
    assert "an alpha of 42 percent" in said


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (Param(name="visibility", value=120.04, unit="m"), "a~ visibility of 120 meters"),
        (Param(name="quality", value=31, unit="WebP quality"), "a~ quality of 31"),
        (Param(name="gain", value=3.256, unit="x light"), "a~ gain of 3.26"),
        (Param(name="coverage", value=0.254, unit="share of frame"), "a~ coverage of 25.4 percent"),
        (Param(name="k_1", value=0.01234, unit=""), "a~ k 1 of 0.0123"),
        (Param(name="{o}", value=1, unit="px"), ""),
        (Param(name="x", value=1, unit="[a|b]"), ""),
        (Param(name="fill", value=1, unit="noise"), ""),  # a choice among kinds
    ],
)
def test_a_parameter_is_a_phrase_or_nothing(param: Param, text: str) -> None:
    assert named_value(param) == text


def test_numbers_have_three_digits_and_no_exponent() -> None:
    given = (0.00012, 0.5, 12.34, 12345.6, -2.1, 3.0)
    assert [plain_number(v) for v in given] == "0.0001 0.5 12.3 12346 -2.1 3".split()


@pytest.mark.parametrize(
    ("label", "family"),
    [
        ("rain", "weather"), ("jpeg2000 compression", "compression"), ("zoom blur", "blur"),
        ("low resolution", "resolution"), ("watermark", "overlay"), ("fog", "weather"),
        ("banding noise", "noise"), ("camera shake", "motion"), ("vignetting", "light"),
        ("contrast loss", "tone"), ("white balance error", "color"), ("moire", "scanning"),
        ("lens distortion", "geometry"), ("bit error", "transport"), ("over sharpen", "filtering"),
        ("sun flare", "glare"), ("jpeg noise", "noise"), ("inpaint residue", "overlay"),
    ],
)  # fmt: skip
def test_a_word_of_the_label_names_the_family(label: str, family: str) -> None:
    found = family_of(label)
    assert found is not None
    assert found.name == family
    assert effect(label).does == found.texts["does"]


def test_a_label_of_no_family_has_the_clauses_of_any() -> None:
    assert family_of("zorbification") is None
    assert effect("zorbification") is ANY
    assert like("zorbification") == frozenset()


def test_every_family_has_clauses_and_kin_among_the_sixteen() -> None:
    assert len(families()) == 15
    for family in families().values():
        assert family.words
        assert family.like
        assert family.like <= set(LABELS)
        assert len(family.texts["does"]) >= 3
        assert len(family.texts["yields"]) >= 2


def test_names_are_written_as_people_write_them() -> None:
    assert shown("jpeg2000 compression") == "JPEG2000 compression"
    assert shown("webp") == "WebP"
    assert shown("salt and pepper noise") == "salt and pepper noise"


# ---------------------------------------------------------------------------------------- checks

R = row("r", later("rain", 0.62))


def test_a_later_label_that_is_not_spoken_of_is_missed() -> None:
    assert "missing" in judged(R, influence="The man and the fence are harder to see than usual.")
    assert (
        judged(R, influence="The heavy rain makes the man near the fence harder to see.") == set()
    )


def test_a_later_label_that_is_denied_or_missized_is_refused() -> None:
    assert "denied" in judged(R, influence="There is no rain and the man can be seen plainly.")
    said = "The barely visible rain is very slight and hardly touches the man by the fence."
    assert "severity" in judged(R, influence=said)


@pytest.mark.parametrize(
    "said",
    ["The rain at 0.91 hides the man.", "The rain with a rate of 7 hides the man near the fence."],
)
def test_numbers_of_a_later_label_are_those_of_the_record(said: str) -> None:
    assert "parameters" in judged(R, influence=said)
    true = said.replace("0.91", "0.62").replace("rate of 7", "rate of 42")
    assert "parameters" not in judged(R, influence=true)


def test_words_of_the_family_count_for_a_later_label() -> None:
    noise = row("n", later("salt_and_pepper_noise", 0.6))
    assert judged(noise, influence="The image noise hides the edges of the man and the fence.") == (
        set()
    )
    said = "The salt and pepper noise and the Gaussian noise hide the edges of the man."
    assert "invented" in judged(noise, influence=said)
    j2k = row("j", later("jpeg2000_compression", 0.6))
    said = "The compression artifacts of JPEG hide the edges of the man and the fence."
    assert "invented" not in judged(j2k, influence=said)


@pytest.mark.parametrize(
    "said",
    [
        "The rain hides the man, and a strong vignetting hides the corners of the frame.",
        "The rain and the rolling shutter hide the man near the fence.",
        "The rain hides the man and the JPEG artifacts hide the fence.",
        "The rain hides the man, and the picture is noisy near the fence.",
    ],
)
def test_what_was_not_applied_is_refused_beside_a_later_label(said: str) -> None:
    assert "invented" in judged(R, influence=said)


def test_what_the_record_calls_its_numbers_is_no_invention() -> None:
    said = "The {} moves the man and the fence, with a wobble of 3 pixels."
    shutter = row("s", ops.get("rolling_shutter").sample(0.6, (0, "s"), 480))
    assert "invented" not in judged(shutter, influence=said.format("rolling shutter"))
    noise = row("n", later("salt_and_pepper_noise", 0.6))  # which has no such number
    assert "invented" in judged(noise, influence=said.format("salt and pepper noise"))


def test_names_of_later_operators_are_refused_where_none_was_applied() -> None:
    blur = row("b", applied("lens_blur", 0.6))
    said = "The lens blur softens the man, and the chromatic aberration tints the fence."
    assert "invented" in judged(blur, influence=said)
    assert "invented" in judged(blur, influence="The lens blur and the moire hide the man here.")


def test_reasoning_may_not_take_a_later_damage_for_the_scene() -> None:
    base = write(R, QUESTION, None).reasoning
    assert "damaged_view" in judged(R, reasoning=f"{base} It is raining on the man.")
    assert "damaged_view" in judged(R, reasoning=f"{base} The man stands in a rainy street.")
    asked = Question(
        question="Why does the man hold an umbrella?", answer="rain",
        caption="A man on a rainy street.",
    )  # fmt: skip
    chain = write(R, asked, None)
    told = chain.model_copy(update={"reasoning": f"{chain.reasoning} It is a rainy street."})
    found = check(told, R, asked, target(R.applied))
    assert "damaged_view" not in {f.code for f in found}
