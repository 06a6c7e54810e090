"""Rewards: bounds, monotone in being right, nothing to gain by gaming, the published ones."""

from __future__ import annotations

import math
import pickle
import re
import subprocess
import sys
import time
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate import depth
from degrade.schema import Chain, Question
from trainer import rewards as r

LABELS = ("lens blur", "jpeg compression", "gaussian noise", "graffiti")
TRUTH = [{"label": "lens blur", "intensity": 0.7}, {"label": "graffiti", "intensity": 0.2}]
PROSE = (
    "Two bears stand on the left of a path and a house with a red door lies behind them, so that "
    "only its roof and the upper windows can be seen from here; a fence runs along the right."
)
ROW: dict[str, Any] = {
    "answer": ["2"],
    "choices": [["bears", "plants", "red", "trees"]],
    "answer_as": ["index"],
    "degradations": [TRUTH],
    "depth_target": [len(r.tokens(PROSE))],
    "prompts": [Question(question="What color is the door?").prompt() + "\n" + Chain.instruction()],
}
OURS = (r.format_reward, r.answer_reward, r.degradation_reward, r.length_reward)

intensities = st.integers(0, 100).map(lambda n: n / 100)
items = st.dictionaries(st.sampled_from(LABELS), intensities).map(lambda d: list(d.items()))


def text(**parts: Any) -> str:
    base: dict[str, Any] = {
        "types": TRUTH,
        "influence": "The blur softens the door.",
        "reasoning": PROSE,
        "conclusion": "The door is red.",
        "answer": "2",
    }
    return Chain.model_validate(base | parts).render()


def scores(completion: Any) -> list[float]:
    return [reward([completion], **ROW)[0] for reward in OURS]


def types(pairs: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"label": label, "intensity": s} for label, s in pairs]


def test_right_answer_earns_everything_as_text_and_as_conversation() -> None:
    said = text()
    assert scores(said) == [1.0] * 4
    assert scores([{"role": "assistant", "content": said}]) == [1.0] * 4
    assert scores([{"role": "assistant", "content": [{"type": "text", "text": said}]}]) == [1.0] * 4


def test_rewards_pickle_and_have_different_names() -> None:
    assert [pickle.loads(pickle.dumps(f)) for f in r.REWARDS.values()] == [*r.REWARDS.values()]
    assert len({f.__name__ for f in r.REWARDS.values()}) == len(r.REWARDS)


def test_rewards_need_no_torch() -> None:
    code = "import sys, trainer.rewards; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_length_is_counted_as_the_depth_targets_are() -> None:
    for sample in (PROSE, text(), "", "0.31, it's 2 x 3"):
        assert len(r.tokens(sample)) == depth.tokens(sample)


def different(count: int) -> str:
    """So many words, no two of them alike in letters."""
    named = str.maketrans({str(d): f"w{'abcdefghij'[d]}" for d in range(10)})
    return " ".join(str(i).translate(named) for i in range(count))


# -------------------------------------------------------------------------------- gaming


@pytest.mark.parametrize(
    "cheat",
    [
        "",
        "2",
        "lens blur(0.70)",
        Chain.instruction(),
        ROW["prompts"][0],
        text()[:-3],  # cut off in the last tag
        text()[: len(text()) // 2],
        text() + text(),
        text() + "\nand so on",
        "Sure! " + text(),
        text(reasoning=""),
        text(influence=""),
        text(conclusion=""),
        text(answer=""),
        text(influence="what they hide or change for this question"),
        text().replace("0.70", "1.2.3"),
        text().replace("0.70", "7"),
        text().replace("0.70", "-1"),
        text().replace("0.70", "nan"),
        "<TYPE><TYPE_END>" * 40,
        "<TYPE>" * 40,
        "\n".join(f"<{p}><{p}_END>" for p in ("TYPE", "INFLUENCE", "REASONING", "CONCLUSION")),
        text().replace("<ANSWER>2", "<ANSWER>0<ANSWER_END><ANSWER>1<ANSWER_END><ANSWER>2"),
        text().lower(),
        text().replace("_END>", ">"),
        text().replace("0.70", "\uff11.\uff10"),  # a number, but not as chains write it
        text().replace("lens blur", "l\u0435ns blur"),  # a Cyrillic letter
        text().replace("<TYPE>", "<TYPE><TYPE>"),
        text().replace("Two bears", "<ANSWER>2<ANSWER_END>"),
        text(reasoning="\u200b"),
        text(influence=".", reasoning="...", conclusion="!"),
        text(answer="\u200d\ufe0f"),
        text(reasoning="\u3164 \u115f \uffa0"),  # letters that show nothing
        text(influence="\u3164"),
        text(answer="\u2800"),
        text().replace("Two", "\x00"),
        "\ud800" + text(),
        " " * 1000,
    ],
)
def test_malformed_text_earns_nothing(cheat: str) -> None:
    assert scores(cheat) == [0.0] * 4


def test_repeating_a_type_loses() -> None:
    once, twice, often = (text(types=[TRUTH[0]] * n) for n in (1, 2, 5))
    earned = [r.degradation_reward([t], degradations=[TRUTH])[0] for t in (once, twice, often)]
    assert earned[0] == 0.5
    assert earned[0] > earned[1] > earned[2]


def test_listing_every_type_loses_against_saying_nothing_wrong() -> None:
    everything = text(types=types([(label, 0.5) for label in LABELS]))
    assert r.degradation_reward([everything], degradations=[[]]) == [0.0]
    assert r.degradation_reward([text(types=[])], degradations=[[]]) == [1.0]
    silent, listed = (r.degradation_reward([t], **ROW)[0] for t in (text(types=[]), everything))
    assert silent == 0.0
    assert listed < r.degradation_reward([text(types=[TRUTH[0]])], **ROW)[0]


@pytest.mark.parametrize(
    "padding",
    [
        "the " * 60,
        "it is red " * 15,
        re.sub("<[A-Z_]+>", " ", ROW["prompts"][0]),
        "The blur softens the door. " * 8,  # the INFLUENCE block
        " ".join(str(i) for i in range(60)),
        " ".join(f"red {i}" for i in range(30)),
        "It is red. IT IS RED. it is Red. It Is red. iT is red. it IS red. it is rED. It Is RED.",
        "it is red \uff49\uff54 \uff49\uff53 \uff52\uff45\uff44 " * 8,  # in wide letters
        "red " + "! ? ; : , . - + * # % & @ " * 6,
        " ".join(f"red{i}" for i in range(44)),
        " ".join("red" + "_" * i for i in range(44)),
        " ".join("re" + "e" * i + "d" for i in range(44)),
        "red " + " ".join("\u3164" * i for i in range(1, 44)),
        " ".join(f"it is r{letter}d." for letter in "e\xe9\xe8\xea\xeb\u0113\u0115\u0119\u011b"),
    ],
)
def test_length_is_not_to_be_had_by_repeating_or_copying(padding: str) -> None:
    said = text(reasoning=padding.strip())
    assert r.length_reward([said], **ROW)[0] < 0.15
    assert r.length_reward([text(reasoning="It is red.")], **ROW)[0] < 0.2


def test_prose_as_it_is_taught_keeps_its_length() -> None:
    assert r.fresh_tokens(PROSE) == len(r.tokens(PROSE))
    assert r.fresh_tokens(f"{PROSE} {PROSE}") == len(r.tokens(PROSE)) + 2  # the seam is new


def test_types_in_another_case_or_by_the_thousand_are_inventions() -> None:
    right = r.degradation_reward([text()], **ROW)[0]
    for said in (
        [("Lens Blur", 0.7), ("graffiti", 0.2)],
        [("lens_blur", 0.7), ("graffiti", 0.2)],
        [("Lens Blur", 0.7), ("lens blur", 0.7), ("graffiti", 0.2)],
        [(f"type {i}", 0.5) for i in range(3000)] + [("lens blur", 0.7), ("graffiti", 0.2)],
        [("lens blur", 0.7), ("graffiti", 0.2)] * 1000,
    ):
        assert r.degradation_reward([text(types=types(said))], **ROW)[0] < 0.7 * right, said[:3]


def test_what_was_applied_twice_is_matched_in_whatever_order_it_is_said() -> None:
    twice = [("lens blur", 0.2), ("lens blur", 0.8)]
    assert r.agreement(twice[::-1], twice) == 1.0
    for one in twice:
        assert r.agreement([one], twice) == r.agreement(twice, [one]) == 0.5


@given(st.lists(intensities, max_size=4), st.lists(intensities, max_size=4))
def test_repeated_types_are_matched_as_well_as_can_be(a: list[float], b: list[float]) -> None:
    few, many = sorted((a, b), key=len)
    ways = (zip(few, order, strict=True) for order in permutations(many, len(few)))
    best = max(sum(1.0 - abs(s - t) for s, t in way) for way in ways)
    pairs = [[("lens blur", s) for s in side] for side in (a, b)]
    assert r.agreement(*pairs) == pytest.approx(best / len(many) if many else 1.0)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -3.0, 7.0])
def test_intensities_that_are_none_earn_nothing_and_spread_no_further(wrong: float) -> None:
    truth = [{"label": "lens blur", "intensity": wrong}, TRUTH[1]]
    assert r.degradation_reward([text()], degradations=[truth]) == [0.5]
    assert r.length_reward([text()], depth_target=[wrong]) == [0.0]


def test_messages_without_text_earn_nothing() -> None:
    for said in ([], [{"role": "assistant"}], [{"role": "assistant", "content": None}]):
        assert scores(said) == [0.0] * 4


MEGABYTE = 1_000_000
LONG = {
    "spaces after a bracket": text(reasoning="x").replace(">x<", f"><{' ' * MEGABYTE}x<"),
    "opened tags": "<TYPE>" * (MEGABYTE // 6),
    "seams": "<TYPE><TYPE_END><INFLUENCE>" * (MEGABYTE // 27),
    "words in TYPE": f"<TYPE>{'a ' * (MEGABYTE // 2)}<TYPE_END>",
    "a label of words": text().replace("lens blur", "a " * (MEGABYTE // 2) + "a"),
    "reasoning": text(reasoning=different(MEGABYTE // 11)),
    "digits": text().replace("0.70", "9" * MEGABYTE),
}


@pytest.mark.parametrize("name", LONG)
def test_a_megabyte_is_judged_in_no_time(name: str) -> None:
    # Quadratic time would be hours; the limit leaves room for a busy machine.
    started = time.process_time()
    for reward in r.REWARDS.values():
        (earned,) = reward([LONG[name]], **ROW, chain=[text()])
        assert math.isfinite(earned)
    assert time.process_time() - started < 1.0 * len(r.REWARDS)


def test_naming_two_answers_is_no_answer() -> None:
    for said in ("2 3", "2, 3", "red or trees", "0. red", "0. bears 2. red", "all"):
        assert r.answer_reward([text(answer=said)], **ROW) == [0.0], said


# ------------------------------------------------------------------------------ properties


@given(items, items)
def test_degradation_agreement_is_bounded_symmetric_and_perfect_only_when_right(
    said: list[tuple[str, float]], truth: list[tuple[str, float]]
) -> None:
    value = r.agreement(said, truth)
    assert 0.0 <= value <= 1.0
    assert value == r.agreement(truth, said)
    assert value == r.agreement(said[::-1], truth)
    assert (value == 1.0) == (dict(said) == dict(truth))
    completion = text(types=types(said))
    (earned,) = r.degradation_reward([completion], degradations=[types(truth)])
    assert earned == value


@given(items, items, st.data())
def test_degradation_agreement_rises_with_every_correction(
    said: list[tuple[str, float]], truth: list[tuple[str, float]], data: st.DataObject
) -> None:
    value, known = r.agreement(said, truth), dict(truth)
    invented = [pair for pair in said if pair[0] not in known]
    for pair in invented:
        fewer = [p for p in said if p != pair]
        assert r.agreement(fewer, truth) >= value
    for pair in truth:
        if pair[0] not in dict(said):
            assert r.agreement([*said, pair], truth) > value
    for i, (label, s) in enumerate(said):
        if label in known:
            nearer = s + data.draw(st.floats(0, 1)) * (known[label] - s)
            assert r.agreement([*said[:i], (label, nearer), *said[i + 1 :]], truth) >= value - 1e-12


def test_missing_costs_what_inventing_does() -> None:
    one, two = types([("lens blur", 0.5)]), types([("lens blur", 0.5), ("graffiti", 0.5)])
    missed = r.degradation_reward([text(types=one)], degradations=[two])
    invented = r.degradation_reward([text(types=two)], degradations=[one])
    assert missed == invented == [0.5]


@given(st.integers(0, 400), st.integers(1, 200))
def test_length_reward_is_bounded_and_falls_with_the_distance(n: int, target: int) -> None:
    words = [text(reasoning=different(k) or "x") for k in (n, n + 1)]
    here, longer = r.length_reward(words, depth_target=[target] * 2)
    assert 0.0 <= here <= 1.0
    if n >= target:
        assert longer <= here
    elif n:
        assert longer >= here
    assert r.length_reward([words[0]], depth_target=[max(1, n)]) == [1.0]


@given(st.text(), st.text(alphabet="<>/_ TYPEANSWRINDFLUCO().0123456789,\n"))
def test_no_text_raises_and_all_rewards_stay_in_bounds(free: str, tags: str) -> None:
    for said in (free, tags, text().replace("door", free), text() + tags):
        for reward in OURS:
            assert 0.0 <= reward([said], **ROW)[0] <= 1.0
        for name in ("r1_format", "r1_accuracy", "r1_type", "r1_deg", "r1_length"):
            assert len(r.REWARDS[name]([said], chain=[text()])) == 1


@pytest.mark.parametrize("form", ["index", "letter", "text"])
@given(
    st.lists(st.sampled_from("red green 2 0 C blue".split()), min_size=2, unique=True), st.data()
)
def test_answer_is_right_for_the_rows_own_form_and_wrong_for_every_other_option(
    form: Any, choices: list[str], data: st.DataObject
) -> None:
    truth = data.draw(st.sampled_from(choices))
    forms = [
        Question(choices=tuple(choices), answer=c, answer_as="text").answered(form).answer
        for c in choices
    ]
    right = forms[choices.index(truth)]
    for said in forms:
        assert r.same_answer(said, right, choices, form) == (said == right)


@pytest.mark.parametrize("said", ["2", " 2. ", "(2)", "red", "Red.", '"red"', "2. red"])
def test_ways_to_give_the_same_answer(said: str) -> None:
    assert r.answer_reward([text(answer=said.strip())], **ROW) == [1.0]


def test_free_answers_are_compared_as_texts() -> None:
    assert r.answer_reward([text(answer="A Knife.")], answer=["a  knife"]) == [1.0]
    assert r.answer_reward([text(answer="a fork")], answer=["a knife"]) == [0.0]


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        r.degradation_reward([text(), text()], degradations=[TRUTH])


# ---------------------------------------------------------------------------- as published


def test_published_type_reward_pays_for_repetition() -> None:
    truth = text(types=types([("lens blur", 0.7)]))
    once, twice, none, other = (
        text(types=types(t))
        for t in ([("lens blur", 0.5)], [("lens blur", 0.5)] * 2, [], [("graffiti", 0.1)])
    )
    earned = r.r1_type_reward([once, twice, none, other], chain=[truth] * 4)
    assert earned == pytest.approx([1.3, 2.6, -1.0, -2.0])
    assert r.r1_type_reward([truth], chain=[truth]) == [1.5]
    clean = text(types=[])
    assert r.r1_type_reward([clean], chain=[clean]) == [0.0]


def test_published_degradation_formula_scores_the_figure_of_the_paper() -> None:
    truth = text(types=types([("lens blur", 0.5), ("gaussian noise", 0.4), ("graffiti", 0.5)]))
    said = [("lens blur", 0.26), ("jpeg compression", 0.1)]
    said += [("gaussian noise", 0.92), ("graffiti", 0.49)]
    (earned,) = r.r1_deg_reward([text(types=types(said))], chain=[truth])
    assert earned == pytest.approx(0.76 - 1 + 0.48 + 0.99)


def test_published_rewards_accept_what_ours_refuse() -> None:
    spam, broken = "noise " + text() + " more", text().replace("0.70", "1.2.3")
    assert r.r1_format_reward([spam, "<TYPE>"]) == [1.0, 0.0]
    assert r.r1_accuracy_reward([spam, "none", text(answer="3")], chain=[text(), "", text()]) == [
        1.0,
        1.0,
        0.0,
    ]
    assert r.r1_type_reward([broken], chain=[text()]) == pytest.approx([-1 + 1.5])


def test_published_length_reward_is_unbounded_below() -> None:
    solution = text()
    earned = r.r1_length_reward([solution, solution * 3, ""], chain=[solution] * 3)
    assert earned == pytest.approx([1.0, -1.0, 0.0])
