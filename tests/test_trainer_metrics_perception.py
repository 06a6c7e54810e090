"""Whether degradations are named, and what answers cost, by hand and against libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from degrade.schema import Chain, Degradation
from trainer import metrics as m
from trainer import rl
from trainer.rewards import r1_deg_reward, r1_type_reward


def types(text: str) -> list[dict[str, Any]]:
    """``blur 0.5, fog 0.2``."""
    pairs = [item.split() for item in text.split(",") if item.strip()]
    return [{"label": label, "intensity": float(s)} for label, s in pairs]


def matched(*pictures: tuple[str, str | None]) -> list[m.Match]:
    return m.match(
        [types(true) for true, _ in pictures],
        [None if said is None else types(said) for _, said in pictures],
    )


WORKED = matched(
    ("blur 0.7, noise 0.5", "blur 0.5, rain 0.3"),  # one hit, one invented, one missed
    ("fog 0.5", "fog 0.6, fog 0.9"),  # the second fog does not count
    ("", "rain 0.4"),  # a false alarm
    ("", ""),  # rightly nothing
    ("blur 0.2", None),  # no chain
)


def test_sets_of_types() -> None:
    # precision over three pictures of which something was named: (1/2 + 1/1 + 0/1) / 3
    assert (m.set_precision(WORKED).value, m.set_precision(WORKED).n) == (pytest.approx(0.5), 3)
    # recall over three that have something: (1/2 + 1 + 0) / 3
    assert (m.set_recall(WORKED).value, m.set_recall(WORKED).n) == (pytest.approx(0.5), 3)
    # F1: (2/4 + 2/2 + 0/1 + 1 + 0/1) / 5
    assert (m.set_f1(WORKED).value, m.set_f1(WORKED).n) == (pytest.approx(0.5), 5)
    # micro: hits 1 + 1; applied 2 + 1 + 1, named 2 + 1 + 1
    assert m.micro_f1(WORKED).value == pytest.approx(2 * 2 / (4 + 4))
    # exact: fog, and the clean picture of which nothing was said
    assert m.exact_match(WORKED).value == pytest.approx(2 / 5)
    # counts: |2 - 2|, |1 - 1|, |1 - 0|, 0, |0 - 1|
    assert m.count_error(WORKED).value == pytest.approx(2 / 5)
    # two clean pictures, rain said of one
    assert (m.false_alarms(WORKED).value, m.false_alarms(WORKED).n) == (0.5, 2)


def test_macro_over_types() -> None:
    # blur: applied 2, named 1, hits 1: 2/3; noise 0; fog 2/2. Invented rain is not in it.
    assert m.macro_f1(WORKED).value == pytest.approx((2 / 3 + 0 + 1) / 3)
    # with rain: named twice, never applied: 0
    with_rain = m.macro_f1(WORKED, ["blur", "noise", "fog", "rain"])
    assert with_rain.value == pytest.approx((2 / 3 + 0 + 1 + 0) / 4)
    # of snow there is nothing to say
    more = m.macro_f1(WORKED, ["blur", "noise", "fog", "rain", "snow"])
    assert more.value == with_rain.value
    assert m.macro_f1(matched(("", ""))).value is None


def test_intensities_of_what_was_found() -> None:
    # blur 0.5 for 0.7, fog 0.6 for 0.5: (0.2 + 0.1) / 2 and (-0.2 + 0.1) / 2
    assert m.intensity_mae(WORKED).value == pytest.approx(0.15)
    assert m.intensity_bias(WORKED).value == pytest.approx(-0.05)
    assert m.intensity_mae(WORKED).n == 2
    # sums: |0.8 - 1.2|, |0.6 - 0.5|, 0.4, 0, 0.2
    assert m.total_intensity_error(WORKED).value == pytest.approx((0.4 + 0.1 + 0.4 + 0.2) / 5)
    assert m.intensity_mae(matched(("fog 0.5", "rain 0.5"))).value is None


def test_single_types() -> None:
    found = m.by_type(WORKED)
    assert sorted(found) == ["blur", "fog", "noise", "rain"]
    blur = {name: figure.value for name, figure in found["blur"].items()}
    assert blur == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "mae": pytest.approx(0.2),
        "bias": pytest.approx(-0.2),
        "spearman": None,  # of one pair
    }
    assert found["rain"]["recall"].value is None
    assert (found["rain"]["precision"].value, found["rain"]["precision"].n) == (0.0, 2)
    said = (0.1, 0.3, 0.2, 0.9)
    pictures = [(f"fog {0.2 * i:.1f}", f"fog {s}") for i, s in enumerate(said, 1)]
    # ranks 1 2 3 4 and 1 3 2 4: 1 - 6 x 2 / (4 x 15)
    assert m.by_type(matched(*pictures))["fog"]["spearman"].value == pytest.approx(0.8)


def test_naming_a_type_again_changes_nothing_here_and_pays_with_the_published_reward() -> None:
    once, thrice = (matched(("fog 0.5", ", ".join(["fog 0.6"] * k))) for k in (1, 3))
    first, second = (
        {name: figure.value for name, figure in m.perceived(found).items()}
        for found in (once, thrice)
    )
    assert second["agreement"] == pytest.approx(0.3)  # 0.9 / 3: our reward calls that invented
    assert {**second, "agreement": first["agreement"]} == first
    texts = [
        Chain(types=found[0], influence="a", reasoning="b", conclusion="c", answer="d").render()
        for found in ([types("fog 0.6")], [types("fog 0.6") * 3])
    ]
    truth = [types("fog 0.5")] * 2
    # 1.5 - 0.1, and three times that
    assert m.robust_r1_reward(texts[:1], truth[:1]).value == pytest.approx(1.4)
    assert m.robust_r1_reward(texts, truth).value == pytest.approx((1.4 + 4.2) / 2)


def test_published_rewards_are_those_of_the_rewards() -> None:
    chain = Chain(
        types=types("fog 0.6, rain 0.2"), influence="a", reasoning="b", conclusion="c", answer="d"
    ).render()
    truth = types("fog 0.5, noise 0.5")
    solution = Chain(
        types=truth, influence="other", reasoning="words", conclusion="here", answer="x"
    ).render()
    assert m.robust_r1_reward([chain], [truth]).value == r1_type_reward([chain], [solution])[0]
    eq6 = m.robust_r1_reward([chain], [truth], "r1_deg").value
    assert eq6 == r1_deg_reward([chain], [solution])[0]
    with pytest.raises(ValueError, match="give r1_type or r1_deg"):
        m.robust_r1_reward([chain], [truth], "format")


def test_a_type_applied_twice_is_one_type_with_the_greater_intensity() -> None:
    found = matched(("blur 0.2, blur 0.6", "blur 0.5"))
    assert m.exact_match(found).value == 1.0
    assert m.intensity_mae(found).value == pytest.approx(0.1)
    # the sum is of all that was applied: |0.5 - 0.8|
    assert m.total_intensity_error(found).value == pytest.approx(0.3)


def test_records_are_read_as_they_are() -> None:
    records = [[Degradation(label="fog", intensity=0.5)]]
    assert m.match(records, records) == m.match([types("fog 0.5")], [types("fog 0.5")])
    with pytest.raises(ValueError, match=r"fog has the intensity 1\.5"):
        m.match([types("fog 1.5")], [None])
    with pytest.raises(ValueError, match="truth 1, named 0"):
        m.match([[]], [])


def test_what_is_watched_in_training_is_the_same() -> None:
    chains = [Chain(types=types("fog 0.6"), influence="", reasoning="", conclusion="", answer="")]
    found = rl.types_found([*chains, None], [types("fog 0.5"), types("rain 0.5")])
    # hits 1, named 1, applied 2
    assert found == {"f1": pytest.approx(2 / 3), "mae": pytest.approx(0.1)}
    assert rl.types_found([None], [[]]) == {"f1": 1.0}


label_sets = st.lists(
    st.tuples(st.sampled_from(["blur", "fog", "rain"]), st.sampled_from([0.1, 0.5, 1.0])),
    max_size=4,
)


@given(st.lists(st.tuples(label_sets, st.none() | label_sets), min_size=1, max_size=8))
def test_bounds_and_an_answer_that_is_the_truth(found: list[tuple[Any, Any]]) -> None:
    def items(pairs: Any) -> Any:
        return None if pairs is None else [{"label": t, "intensity": s} for t, s in pairs]

    truth, named = [items(t) for t, _ in found], [items(n) for _, n in found]
    values = {k: f.value for k, f in m.perceived(m.match(truth, named)).items()}
    for name, value in values.items():
        if value is not None:
            low = -1.0 if name == "intensity_bias" else 0.0
            high = np.inf if name in ("count_error", "total_intensity_error") else 1.0
            assert low <= value <= high, name
    single = [list({d["label"]: d for d in picture}.values()) for picture in truth]
    perfect = {k: f.value for k, f in m.perceived(m.match(single, single)).items()}
    expected = {"count_error": 0.0, "total_intensity_error": 0.0, "false_alarms": 0.0}
    expected |= {"intensity_mae": 0.0, "intensity_bias": 0.0}
    for name, value in perfect.items():
        assert value is None or value == expected.get(name, 1.0), name


# ------------------------------------------------------------------------------------------ cost


def test_tokens() -> None:
    assert (m.mean_tokens([10, None, 30]).value, m.mean_tokens([10, None, 30]).n) == (20.0, 2)
    assert m.mean_tokens([None]).value is None
    # ceil(0.95 x 20) = 19th of 1 ... 20
    assert m.tokens_quantile(list(range(20, 0, -1))).value == 19
    # three right answers for 400 tokens; the answer of unknown length is in neither sum
    found = m.accuracy_per_1k_tokens([1, 1, 0, 1, 1], [100, 100, 100, 100, None])
    assert (found.value, found.n) == (7.5, 4)
    assert m.accuracy_per_1k_tokens([1], [0]).value is None


def test_order_of_answers() -> None:
    assert (m.validity([True, False, None]).value, m.validity([True, False, None]).n) == (0.5, 2)
    assert (m.truncation([True, None]).value, m.truncation([None]).value) == (1.0, None)
    found = m.shares(["refusal", "letter", "letter"])
    assert {k: f.value for k, f in found.items()} == {
        "letter": pytest.approx(2 / 3),
        "refusal": pytest.approx(1 / 3),
    }


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.floats(0.01, 1.0))
def test_quantile_is_that_of_numpy(values: list[int], share: float) -> None:
    expected = np.quantile(values, share, method="inverted_cdf")
    assert m.tokens_quantile(values, share).value == expected


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=20))
def test_rank_correlation_is_that_of_scipy(found: list[tuple[int, int]]) -> None:
    a, b = zip(*found, strict=True)
    value = m.spearman(a, b).value
    if len(set(a)) < 2 or len(set(b)) < 2:
        assert value is None
    else:
        assert value == pytest.approx(spearmanr(a, b).statistic, abs=1e-9)


def test_rank_correlation_by_hand() -> None:
    # ranks 1 2.5 2.5 4 and 1 2 3 4: covariance 4.5, spreads 4.5 and 5: 4.5 / sqrt(22.5)
    assert m.spearman([1, 2, 2, 3], [1, 2, 3, 4]).value == pytest.approx(4.5 / 22.5**0.5)
    assert m.spearman([1, None, 2, 3], [1, 2, 3, 4]).n == 3
    assert m.spearman([], []).value is None
