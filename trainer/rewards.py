"""What an answer is worth. No torch; plain functions that pickle.

Every reward has the signature of TRL: ``reward(completions, **columns) -> list[float]``, one number
for each completion. ``completions`` are texts or conversations, ``columns`` those of the rows.
The four rewards of ours lie in [0, 1], and the three of the task are 0 where the format is wrong:
ungated, a model learns to scatter tags in broken text, and format falls while the sum rises.
The ``r1_*`` are the published ones, unbounded and ungated, for comparison.

    chain = Chain(types=({"label": "lens blur", "intensity": 0.5},), influence="...", ...)
    degradation_reward([chain.render()], degradations=[[{"label": "lens blur", "intensity": 0.7}]])
    # [0.8]
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from degrade.schema import PARTS, Chain, Malformed, Question, tokens
from trainer.fresh import BLANKS, WORD, fresh_tokens

Message = Mapping[str, Any]
Completion = str | Sequence[Message]
Reward = Callable[..., list[float]]

_INSTRUCTION = Chain.instruction()
_QUOTES = " '\"()"


def text_of(completion: Completion) -> str:
    """The text of a completion or prompt, pictures left out."""
    if isinstance(completion, str):
        return completion
    found = []
    for message in completion:
        content = message.get("content") or ""
        parts = [{"text": content}] if isinstance(content, str) else content
        found += [part.get("text") or "" for part in parts]
    return "\n".join(found)


def well_formed(text: str) -> Chain | None:
    """The chain that a text is, if it is nothing else and says something in every block.

    TYPE may be empty: the picture is clean. A block without a word (the answer: without a visible
    sign), or which repeats what the instruction asks for, says nothing.
    """
    chain = Chain.parse(text)
    if isinstance(chain, Malformed):
        return None
    said = (chain.influence, chain.reasoning, chain.conclusion)
    if not all(map(_says, said)) or all(map(_invisible, chain.answer)):
        return None
    copied = any(f">{part}<" in _INSTRUCTION for part in (*said, chain.answer))
    return None if copied else chain


def _says(text: str) -> bool:
    """Whether there is a word in a text: a letter or digit that can be seen."""
    return any(found[0] not in BLANKS for found in WORD.finditer(text))


def _invisible(sign: str) -> bool:
    """Whether a character shows nothing: spaces, zero widths, joiners, selectors, fillers."""
    return sign in BLANKS or unicodedata.category(sign)[0] in "ZCM"


# ---------------------------------------------------------------------------------------- ours


def format_reward(completions: Sequence[Completion], **columns: Any) -> list[float]:
    """1 for a chain: five blocks in order, once each, nothing else, only TYPE may be empty; else 0.

    Robust-R1 searches the blocks anywhere in the text (FORMAT of its code); a full match leaves
    nothing to add around them. Example: a chain 1, the same cut off in its answer 0.
    """
    return [float(well_formed(text_of(c)) is not None) for c in completions]


def answer_reward(
    completions: Sequence[Completion],
    answer: Sequence[str],
    choices: Sequence[Sequence[str] | None] | None = None,
    answer_as: Sequence[str | None] | None = None,
    **columns: Any,
) -> list[float]:
    """1 where the ANSWER of a well-formed chain is the row's; else 0.

    Case, white space and a final period are no difference. Where there are choices the label
    (``2``, ``C``), the option's text and both together (``2. red``) are the same answer.
    Robust-R1 asks for equal strings and pays for a missing answer beside a missing solution.
    Example: ``red.`` for ``Red`` 1, ``2. red`` for ``2`` where option 2 is red 1, ``1. red`` 0.
    """
    options = choices or [None] * len(completions)
    forms = answer_as or [None] * len(completions)
    rewards = []
    for completion, truth, several, form in zip(completions, answer, options, forms, strict=True):
        chain = well_formed(text_of(completion))
        right = chain is not None and same_answer(chain.answer, truth, several or (), form or "")
        rewards.append(float(right))
    return rewards


def same_answer(given: str, truth: str, choices: Sequence[str] = (), form: str = "") -> bool:
    """Whether an answer is the true one; the ways to say it are those of :func:`answer_reward`."""
    if not choices:
        return bool(plain_answer(given)) and plain_answer(given) == plain_answer(truth)
    # `form` is a column: AnswerForm or empty.
    asked = Question(choices=tuple(choices), answer=truth, answer_as=form)  # type: ignore[arg-type]
    index = asked.answer_index
    return index is not None and named_option(given, choices, form) == index


def named_option(given: str, choices: Sequence[str], form: str) -> int | None:
    """The 0-based option that an answer is the name of; None where it is none's or two's.

    Args:
        given: A label, an option's text, or both; see :func:`answer_reward`.
        choices: The options.
        form: How the labels look: ``letter``, ``index``; empty or ``text``: texts come first.
    """
    plain, options = plain_answer(given), [plain_answer(c) for c in choices]
    labels = [chr(97 + i) if form == "letter" else str(i) for i in range(len(options))]
    # Texts first where answers are texts: an option that reads "2" is no index then.
    ways = [options, labels] if form in ("", "text") else [labels, options]
    for names in ways:
        if plain in names:
            return names.index(plain) if names.count(plain) == 1 else None
    both = [f"{label}. {option}" for label, option in zip(labels, options, strict=True)]
    return both.index(plain) if plain in both else None


def plain_answer(text: str) -> str:
    """An answer without case, doubled white space, quotes around it and a final period."""
    bare = " ".join(text.casefold().split()).strip(_QUOTES)
    return bare.removesuffix(".").strip(_QUOTES)


def degradation_reward(
    completions: Sequence[Completion],
    degradations: Sequence[Iterable[Mapping[str, Any]]],
    **columns: Any,
) -> list[float]:
    """r_deg = sum over matches of (1 - abs(s' - s)) / (matches + missed + invented), in [0, 1].

    Intensity-weighted Jaccard index of the TYPE block with the record: a missed type costs what an
    invented one does; a type said twice is invented the second time, unless it was applied twice
    (the nearest intensities are matched).
    For a clean picture an empty TYPE is worth 1 and any type 0. Robust-R1, eq. 6, is unbounded,
    and gives a clean picture nothing.

    Args:
        completions: Of the model.
        degradations: Per row what was applied, ``{"label": "lens blur", "intensity": 0.5}`` each.
        columns: Not used.

    Example: lens blur(0.5) for lens blur(0.7) 0.8; with graffiti(0.1) invented beside it 0.4.
    """
    rewards = []
    for completion, truth in zip(completions, degradations, strict=True):
        chain = well_formed(text_of(completion))
        said = [(t.label, t.intensity) for t in chain.types] if chain else []
        known = [(d["label"], float(d["intensity"])) for d in truth]
        rewards.append(agreement(said, known) if chain else 0.0)
    return rewards


def agreement(said: Iterable[tuple[str, float]], truth: Iterable[tuple[str, float]]) -> float:
    """The formula of :func:`degradation_reward` on (label, intensity) pairs."""
    first, second = _by_label(said), _by_label(truth)
    labels = first.keys() | second.keys()
    union = sum(max(len(first[label]), len(second[label])) for label in labels)
    # fsum: the value must not depend on the order in which a set is walked.
    gained = math.fsum(_matched(first[label], second[label]) for label in labels)
    return gained / union if union else 1.0


def _by_label(pairs: Iterable[tuple[str, float]]) -> defaultdict[str, list[float]]:
    found = defaultdict[str, list[float]](list)
    for label, intensity in sorted(pairs):
        found[label].append(intensity)
    return found


def _matched(first: Sequence[float], second: Sequence[float]) -> float:
    """Greatest sum of 1 - abs(s' - s) over pairs, each of the fewer in one; both ascend.

    Where a type was applied twice, saying one of the two intensities must be worth as much for the
    stronger as for the milder. Nearest pairs of sorted numbers do not cross, hence the recurrence.
    """
    few, many = sorted((first, second), key=len)
    best = [0.0] * (len(many) + 1)
    for s in few:
        row = [0.0]
        for place, t in enumerate(many):
            # max, 0 first: what is no intensity, such as NaN in a column, earns nothing.
            row.append(max(row[-1], best[place] + max(0.0, 1.0 - abs(s - t))))
        best = row
    return best[-1]


def length_reward(
    completions: Sequence[Completion],
    depth_target: Sequence[int],
    prompts: Sequence[Completion] | None = None,
    **columns: Any,
) -> list[float]:
    """r_len = max(0, 1 - abs(n - target) / target), in [0, 1].

    n is the length of REASONING in tokens of :func:`fresh_tokens`: repeating oneself, the
    INFLUENCE block or the prompt does not lengthen it. Robust-R1, eq. 7, counts the whole response
    and is unbounded below.

    Args:
        completions: Of the model.
        depth_target: Tokens of reasoning that each row's damage calls for.
        prompts: What was asked.
        columns: Not used.

    Example: 60 tokens for a target of 80 0.75; 160 and more 0.
    """
    asked = prompts or [""] * len(completions)
    rewards = []
    for completion, target, prompt in zip(completions, depth_target, asked, strict=True):
        chain = well_formed(text_of(completion))
        if chain is None or target < 1:
            rewards.append(0.0)
            continue
        known = f"{text_of(prompt)}\n{chain.influence}"
        rewards.append(max(0.0, 1.0 - abs(fresh_tokens(chain.reasoning, known) - target) / target))
    return rewards


# ----------------------------------------------------------------------------- as published

# The patterns of the code, such as <TYPE>(.*?)<TYPE_END>, take time squared in spam that closes no
# tag; these find the same in one pass. A run of words is taken whole, whether its number follows.
_R1_ITEM = re.compile(r"(\w++(?:\s++\w++)*+)(?:\(([\d.]+)\))?")
_R1_SEAMS = [re.compile(rf"<{left}_END>\s*+<{right}>") for left, right in pairwise(PARTS)]
_R1_BONUS = 0.5


def block(text: str, part: str) -> str | None:
    """What stands in the first closed block of a name, wherever it is; None without one."""
    _, opened, rest = text.partition(f"<{part}>")
    inside, closed, _ = rest.partition(f"<{part}_END>")
    return inside.strip() if opened and closed else None


def _r1_types(text: str) -> list[tuple[str, float | None]]:
    """Label and intensity; None where digits and points are no number (the code raises there)."""
    items = _R1_ITEM.findall(block(text, "TYPE") or "")
    return [(label, _r1_number(s)) for label, s in items if s]


def _r1_number(text: str) -> float | None:
    known = re.fullmatch(r"\d+\.?\d*|\.\d+", text, re.ASCII) is not None
    value = float(text) if known else math.inf
    return value if math.isfinite(value) else None


def r1_format_reward(completions: Sequence[Completion], **columns: Any) -> list[float]:
    """1 where the five blocks stand anywhere in the text in order, else 0 (code of Robust-R1)."""
    return [float(_r1_found(text_of(c))) for c in completions]


def _r1_found(text: str) -> bool:
    position = text.find(f"<{PARTS[0]}>")
    for seam in _R1_SEAMS:
        found = seam.search(text, position) if position >= 0 else None
        position = found.end() if found else -1
    return position >= 0 and text.find(f"<{PARTS[-1]}_END>", position) >= 0


def r1_accuracy_reward(
    completions: Sequence[Completion], chain: Sequence[str], **columns: Any
) -> list[float]:
    """1 where ANSWER equals the solution's letter by letter, also where both lack it, else 0.

    Code of Robust-R1. ``chain`` is the row's rendered chain, its solution.
    """
    pairs = zip(completions, chain, strict=True)
    return [float(block(text_of(c), "ANSWER") == block(s, "ANSWER")) for c, s in pairs]


def r1_type_reward(
    completions: Sequence[Completion], chain: Sequence[str], **columns: Any
) -> list[float]:
    """Code of Robust-R1: said and true 1.5 - abs(s' - s), said and untrue -1, missed -1.

    Unbounded: types are taken one by one as said, so a true type repeated k times earns k times.
    An intensity such as 1.2.3, at which the published code fails, counts as said and untrue.

    Example: lens blur(0.5) for lens blur(0.7) 1.3, said twice 2.6; nothing for one type -1.
    """
    rewards = []
    for completion, solution in zip(completions, chain, strict=True):
        said, truth = _r1_types(text_of(completion)), _r1_types(solution)
        named = {label for label, _ in said}
        missed = sum(label not in named for label, _ in truth)
        rewards.append(_r1_sum(said, truth, 1.0 + _R1_BONUS) - missed)
    return rewards


def r1_deg_reward(
    completions: Sequence[Completion], chain: Sequence[str], **columns: Any
) -> list[float]:
    """Eq. 6 of Robust-R1 as its figure 2 scores it: said and true 1 - abs(s' - s), untrue -1.

    (Over all pairs, as the sums are printed, a perfect answer of three types would be worth -3.)
    Example, the figure's: 0.76, -1, 0.48 and 0.99 for four types sum to 1.23.
    """
    return [
        _r1_sum(_r1_types(text_of(completion)), _r1_types(solution), 1.0)
        for completion, solution in zip(completions, chain, strict=True)
    ]


def _r1_sum(
    said: Iterable[tuple[str, float | None]], truth: Iterable[tuple[str, float | None]], top: float
) -> float:
    known = {label: s for label, s in truth if s is not None}
    return sum(
        top - abs(s - known[label]) if s is not None and label in known else -1.0
        for label, s in said
    )


def r1_length_reward(
    completions: Sequence[Completion], chain: Sequence[str], **columns: Any
) -> list[float]:
    """r_len of Robust-R1: 1 - abs(n - m) / m, the whole response against the whole solution.

    Unbounded below: three times the length is worth -1. (The code counts the model's tokens and
    adds seven to m by wrapping the solution in tags once more; here both are words and marks.)
    """
    rewards = []
    for completion, solution in zip(completions, chain, strict=True):
        n, m = len(tokens(text_of(completion))), max(1, len(tokens(solution)))
        rewards.append(1.0 - abs(n - m) / m)
    return rewards


REWARDS: dict[str, Reward] = {
    "format": format_reward,
    "answer": answer_reward,
    "degradation": degradation_reward,
    "length": length_reward,
    "r1_format": r1_format_reward,
    "r1_accuracy": r1_accuracy_reward,
    "r1_type": r1_type_reward,
    "r1_deg": r1_deg_reward,
    "r1_length": r1_length_reward,
}
"""Names in configurations -> rewards."""
