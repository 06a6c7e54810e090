"""Whether a model names the degradations of a picture, and their intensities.

Metrics take a :class:`Match` for each picture, made by :func:`match` from what was applied and what
the answer's TYPE block says (None for an answer that is no chain). An answer without a chain names
nothing: it misses what is there, raises no alarm, and is never right about a whole picture
(:func:`set_f1`, :func:`exact_match`).

Types are compared as sets. A type named twice counts once, with the first intensity: saying it
again must not pay. A type that was applied twice counts once, with its greater intensity.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from degrade.schema import Chain, Degradation
from trainer.metrics.columns import Array, same_length
from trainer.metrics.cost import spearman
from trainer.metrics.figure import Figure, Ratios, mean, mean_of_defined
from trainer.rewards import REWARDS, agreement

Item = Degradation | Mapping[str, Any]
"""A type with its intensity, ``{"label": "lens blur", "intensity": 0.5}`` where it is no model."""

Pair = tuple[str, float]

R1_REWARDS = ("r1_type", "r1_deg")
"""Of :mod:`trainer.rewards`: what Robust-R1 pays for the TYPE block."""

_UNBOUNDED = (-np.inf, np.inf)
_SIGNED = (-1.0, 1.0)


class Match(NamedTuple):
    """One picture: what was applied and what was named.

    Attributes:
        applied: All of it, in order.
        said: All of it, in order; None where there is no chain.
        true: Type to intensity, of what was applied.
        named: Type to intensity, of what was said.
        hits: Types that are in both.
    """

    applied: tuple[Pair, ...]
    said: tuple[Pair, ...] | None
    true: dict[str, float]
    named: dict[str, float]
    hits: frozenset[str]


def match(truth: Sequence[Iterable[Item]], named: Sequence[Iterable[Item] | None]) -> list[Match]:
    """What was applied beside what was named, for every picture.

    Args:
        truth: Applied to each picture; nothing to a clean one.
        named: Said of each picture; None where the answer is no chain.

    Raises:
        ValueError: Different lengths, or an intensity outside [0, 1].
    """
    same_length(truth=truth, named=named)
    found = []
    for applied, said in zip(truth, named, strict=True):
        known, told = _pairs(applied), None if said is None else _pairs(said)
        true: dict[str, float] = {}
        for label, intensity in known:
            true[label] = max(intensity, true.get(label, 0.0))
        first = dict(reversed(told or ()))
        found.append(Match(known, told, true, first, frozenset(true.keys() & first.keys())))
    return found


def _pairs(items: Iterable[Item]) -> tuple[Pair, ...]:
    pairs = tuple(
        (i.label, i.intensity)
        if isinstance(i, Degradation)
        else (str(i["label"]), float(i["intensity"]))
        for i in items
    )
    for label, intensity in pairs:
        if not 0.0 <= intensity <= 1.0:
            raise ValueError(f"{label} has the intensity {intensity}: give one in [0, 1]")
    return pairs


def _ratios(pairs: Iterable[tuple[float, float]], *bounds: float) -> Ratios:
    """Sum of the first over sum of the second; bounds are 0 and 1 where none are given."""
    rows = np.array(list(pairs), float).reshape(-1, 2)
    low, high = bounds or (0.0, 1.0)
    return Ratios(rows[:, 0], rows[:, 1], bounds=(low, high))


def set_precision(matches: Sequence[Match]) -> Figure:
    """Mean over pictures of |T and N| / |N|, in [0, 1], T applied and N named types.

    Over the pictures of which something was named (``n``); None where nothing was. Source:
    example-based precision (Godbole and Sarawagi, PAKDD 2004; scikit-learn's ``samples`` average).

    Example:
        Lens blur and noise applied, lens blur and rain named: 1/2.
    """
    return _ratios((len(p.hits) / len(p.named), 1) if p.named else (0, 0) for p in matches)


def set_recall(matches: Sequence[Match]) -> Figure:
    """Mean over pictures of |T and N| / |T|, in [0, 1].

    Over the pictures to which something was applied (``n``); None where there are none. Source: as
    :func:`set_precision`.

    Example:
        Lens blur and noise applied, lens blur named: 1/2.
    """
    return _ratios((len(p.hits) / len(p.true), 1) if p.true else (0, 0) for p in matches)


def set_f1(matches: Sequence[Match]) -> Figure:
    """Mean over pictures of 2 |T and N| / (|T| + |N|), in [0, 1]; None for no pictures.

    1 for a clean picture of which a chain names nothing, 0 where there is no chain. Source: as
    :func:`set_precision`.

    Example:
        Lens blur and noise applied, lens blur named: 2 x 1 / (2 + 1) = 0.667.
    """
    sizes = [(len(p.hits), len(p.true) + len(p.named), p.said is not None) for p in matches]
    return _ratios((2 * h / total if total else float(chain), 1) for h, total, chain in sizes)


def micro_f1(matches: Sequence[Match]) -> Figure:
    """2 sum |T and N| / sum (|T| + |N|), in [0, 1]; None where nothing was applied or named.

    Source: micro average over all pairs of picture and type; scikit-learn's ``micro``.

    Example:
        Of two applied and two named types one is both: 2 x 1 / 4.
    """
    return _ratios((2 * len(p.hits), len(p.true) + len(p.named)) for p in matches)


def macro_f1(matches: Sequence[Match], types: Collection[str] | None = None) -> Figure:
    """(1/C) sum_c 2 TP_c / (applied_c + named_c), in [0, 1]; None where no type occurs.

    Source: macro average over types; scikit-learn's ``macro`` with these labels. In a resample
    without a type the mean is over the others.

    Args:
        matches: Of :func:`match`.
        types: Labels to average over; those that were applied by default. Of a label that was
            neither applied nor named there is nothing to say; it is left out.

    Example:
        Blur 1 of 1 right, noise applied once and not named: (1 + 0) / 2.
    """
    labels = sorted({label for p in matches for label in p.true} if types is None else types)
    shape = (len(matches), len(labels))
    tops = np.array([[2.0 * (t in p.hits) for t in labels] for p in matches]).reshape(shape)
    bottoms = np.array([[(t in p.true) + (t in p.named) for t in labels] for p in matches], float)
    if not labels:
        return Ratios(np.zeros((len(matches), 1)), np.zeros((len(matches), 1)))
    return Ratios(tops, bottoms.reshape(shape), mean_of_defined)


def exact_match(matches: Sequence[Match]) -> Figure:
    """Share of pictures of which a chain names all types and no other, in [0, 1].

    (1/n) sum_i [T_i = N_i]; None for no pictures. Source: subset accuracy (scikit-learn's
    ``accuracy_score`` of several labels).

    Example:
        Blur named for blur, blur named for blur and noise: 1/2.
    """
    return _ratios((p.said is not None and p.true.keys() == p.named.keys(), 1) for p in matches)


def count_error(matches: Sequence[Match]) -> Figure:
    """Mean over pictures of ||N| - |T||, in [0, inf); None for no pictures.

    Source: mean absolute error of a count.

    Example:
        One named for three, two for two: (2 + 0) / 2 = 1.
    """
    gaps = [abs(len(p.named) - len(p.true)) for p in matches]
    return _ratios(((gap, 1) for gap in gaps), 0.0, np.inf)


def false_alarms(matches: Sequence[Match]) -> Figure:
    """Share of clean pictures of which something is named, in [0, 1]; None for no clean ones.

    Source: false positive rate over pictures without any type. ``n`` is the clean pictures.

    Example:
        Two clean pictures, fog named for one: 1/2.
    """
    return _ratios((bool(p.named), 1) if not p.true else (0, 0) for p in matches)


def _gaps(matches: Sequence[Match]) -> list[list[float]]:
    """Per picture the named less the true intensity of each type that is both."""
    return [[p.named[t] - p.true[t] for t in sorted(p.hits)] for p in matches]


def intensity_mae(matches: Sequence[Match]) -> Figure:
    """Mean of |s' - s| over the true types that were named, in [0, 1]; None where none was.

    sum over pictures and matches / number of matches. Source: mean absolute error. ``n`` is the
    pictures with a match.

    Example:
        lens blur(0.5) for lens blur(0.7), fog(0.6) for fog(0.5): (0.2 + 0.1) / 2 = 0.15.
    """
    return _ratios((math.fsum(map(abs, g)), len(g)) for g in _gaps(matches))


def intensity_bias(matches: Sequence[Match]) -> Figure:
    """Mean of s' - s over the true types that were named, in [-1, 1]; None where none was.

    Positive: damage is overstated. Source: mean signed error. ``n`` as of :func:`intensity_mae`.

    Example:
        lens blur(0.5) for lens blur(0.7), fog(0.6) for fog(0.5): (-0.2 + 0.1) / 2 = -0.05.
    """
    return _ratios(((math.fsum(g), len(g)) for g in _gaps(matches)), *_SIGNED)


def total_intensity_error(matches: Sequence[Match]) -> Figure:
    """Mean over pictures of |sum s' - sum s|, in [0, inf); None for no pictures.

    Sums over all named types (each once) and over all that was applied. Source: mean absolute
    error of the picture's total damage, which depth of reasoning is to follow.

    Example:
        lens blur(0.5) for lens blur(0.7) and fog(0.5): |0.5 - 1.2| = 0.7.
    """
    gaps = [abs(math.fsum(p.named.values()) - math.fsum(s for _, s in p.applied)) for p in matches]
    return _ratios(((gap, 1) for gap in gaps), 0.0, np.inf)


def by_type(matches: Sequence[Match]) -> dict[str, dict[str, Figure]]:
    """Figures of every type that was applied or named.

    ``precision`` = TP / named and ``recall`` = TP / applied, in [0, 1]; ``f1`` = 2 TP / (named +
    applied), in [0, 1]; ``mae`` and ``bias`` of the intensity over its matches; ``spearman`` of
    named with true intensity over its matches, in [-1, 1]. None where a denominator is 0 or
    intensities do not vary. Source: scikit-learn's scores without average;
    :func:`intensity_mae`, :func:`intensity_bias`, :func:`trainer.metrics.cost.spearman`.

    Example:
        Fog applied to two pictures and named for one of them and a third: precision, recall and
        F1 1/2.
    """
    found = {}
    for label in sorted({label for p in matches for label in (*p.true, *p.named)}):
        true = np.array([label in p.true for p in matches], float)
        said = np.array([label in p.named for p in matches], float)
        both = true * said
        s, t = (
            [side[label] if hit else None for side, hit in zip(sides, both, strict=True)]
            for sides in ([p.named for p in matches], [p.true for p in matches])
        )
        gap = np.array([p.named[label] - p.true[label] if label in p.hits else 0 for p in matches])
        found[label] = {
            "precision": Ratios(both, said),
            "recall": Ratios(both, true),
            "f1": Ratios(2 * both, true + said),
            "mae": Ratios(np.abs(gap), both),
            "bias": Ratios(gap, both, bounds=_SIGNED),
            "spearman": spearman(s, t),
        }
    return found


def mean_agreement(matches: Sequence[Match]) -> Figure:
    """Mean of :func:`trainer.rewards.agreement`, the intensity-weighted Jaccard index, in [0, 1].

    0 where there is no chain; None for no pictures. Types applied twice are to be named twice.

    Example:
        lens blur(0.5) for lens blur(0.7), nothing for fog(0.5): (0.8 + 0) / 2 = 0.4.
    """
    values = [0.0 if p.said is None else agreement(p.said, p.applied) for p in matches]
    return mean(np.array(values, float))


def robust_r1_reward(
    texts: Sequence[str], truth: Sequence[Iterable[Item]], reward: str = "r1_type"
) -> Figure:
    """Mean of a reward that Robust-R1 trained with, for comparison with its figures.

    Unbounded, and gained by repetition: not a measure of perception. None for no answers. Source
    and formula: :func:`trainer.rewards.r1_type_reward` (code) and
    :func:`trainer.rewards.r1_deg_reward` (eq. 6).

    Args:
        texts: Answers as they stand.
        truth: Applied.
        reward: ``r1_type`` or ``r1_deg``.

    Raises:
        ValueError: Different lengths, or another reward.

    Example:
        lens blur(0.5) for lens blur(0.7) 1.3, said twice 2.6.
    """
    if reward not in R1_REWARDS:
        raise ValueError(f"reward {reward!r}: give {' or '.join(R1_REWARDS)}")
    same_length(texts=texts, truth=truth)
    solutions = [
        Chain(
            types=tuple(Degradation(label=t, intensity=s) for t, s in _pairs(applied)),
            influence="",
            reasoning="",
            conclusion="",
            answer="",
        ).render()
        for applied in truth
    ]
    values: Array = np.array(REWARDS[reward](list(texts), chain=solutions), float)
    return mean(values, bounds=_UNBOUNDED)


def perceived(matches: Sequence[Match], types: Collection[str] | None = None) -> dict[str, Figure]:
    """All of the above but those of single types and of texts, by name.

    Args:
        matches: Of :func:`match`.
        types: Of :func:`macro_f1`.
    """
    return {
        "precision": set_precision(matches),
        "recall": set_recall(matches),
        "f1": set_f1(matches),
        "micro_f1": micro_f1(matches),
        "macro_f1": macro_f1(matches, types),
        "exact_match": exact_match(matches),
        "count_error": count_error(matches),
        "false_alarms": false_alarms(matches),
        "intensity_mae": intensity_mae(matches),
        "intensity_bias": intensity_bias(matches),
        "total_intensity_error": total_intensity_error(matches),
        "agreement": mean_agreement(matches),
    }
