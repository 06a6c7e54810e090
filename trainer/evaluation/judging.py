"""From answers to judged rows: which option was named, whether it is right, what was perceived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from degrade.schema import PARTS, Chain, Degradation, tokens
from trainer.evaluation import options as rules
from trainer.evaluation.free import declines, free, free_score, same_free
from trainer.evaluation.items import CLEAN, Item
from trainer.evaluation.judge import Case
from trainer.evaluation.plan import Use, rotations
from trainer.evaluation.prompts import form_of, rotated, unrotated
from trainer.evaluation.records import Answer, Control, Judged
from trainer.rewards import block, well_formed

FAILED, UNJUDGED = "failed", "unjudged"
_TYPE = PARTS[0]
_REST = Chain(types=(), influence="", reasoning="", conclusion="", answer="").render()
_REST = _REST.partition("\n")[2]


@dataclass(frozen=True)
class How:
    """How answers are read.

    Attributes:
        labels: How options were labelled, see :func:`trainer.evaluation.prompts.form_of`.
        chain: Whether chains were asked for.
        controls: Which there are.
        circular: Whether the options were rotated.
        judged: Tasks that a model judges.
    """

    labels: str
    chain: bool
    controls: tuple[Control, ...]
    circular: bool
    judged: frozenset[str] = frozenset()


class _Read(NamedTuple):
    """One answer, read."""

    correct: float
    chosen: str
    rule: str


@dataclass
class Reading:
    """The answers of an evaluation, read by the rules.

    Args:
        items: The rows.
        said: Answers by row, control and rotation.
        how: How they are read.
        verdicts: Of the judge: ``(use, "truth" or "agreement")`` to a score, or None.
    """

    items: Sequence[Item]
    said: Mapping[Use, Answer]
    how: How
    verdicts: Mapping[Any, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._clean = {i.item: i for i in self.items if i.level == 0.0}
        self._options: dict[Use, _Read] = {}

    # ---------------------------------------------------------------------------- the judge

    def cases(self) -> Iterator[Case]:
        """What the judge has to see: answers that are there, of its tasks."""
        for item in self.items:
            if item.task not in self.how.judged:
                continue
            for control in self.how.controls:
                for rotation in rotations(item, self.how.circular):
                    use = Use(item.id, control, rotation)
                    if (text := self._text(use)) is not None:
                        yield self._case((use, "truth"), item, text, _truths(item))
            use, own = Use(item.id, "none", 0), self._reference(item)
            text = self._text(use)
            if text is not None and own is not None and (truth := self._text(own)) is not None:
                yield self._case((use, "agreement"), item, text, (truth,))

    def _case(self, key: Any, item: Item, text: str, truths: tuple[str, ...]) -> Case:
        choices = item.question.choices
        if item.task == "mcq" and key[1] == "truth":
            choices = rotated(choices, key[0].rotation)
        return Case(key, item.task, item.question.question, choices, truths, text)

    def _text(self, use: Use) -> str | None:
        answer = self.said[use]
        return answer.text if answer.status == "ok" else None

    def _reference(self, item: Item) -> Use | None:
        """Where the same model's answer about the undamaged picture is; None where it is not."""
        if item.operator == CLEAN:
            return None
        if "clean" in self.how.controls:
            return Use(item.id, "clean", 0)
        clean = self._clean.get(item.item)
        return Use(clean.id, "none", 0) if clean and clean.id != item.id else None

    # ---------------------------------------------------------------------------- the rows

    def judged(self) -> tuple[list[Judged], dict[str, int]]:
        """Rows under each control, sorted, and how many are left out: reason -> rows."""
        found, left_out = [], Counter[str]()
        for item in self.items:
            for control in self.how.controls:
                made = self._judged(item, control)
                if isinstance(made, str):
                    left_out[made] += 1
                else:
                    found.append(made)
        return sorted(found, key=lambda j: (j.id, j.control)), dict(sorted(left_out.items()))

    def _judged(self, item: Item, control: Control) -> Judged | str:
        uses = [Use(item.id, control, r) for r in rotations(item, self.how.circular)]
        if any(self.said[use].status == "failed" for use in uses):
            return FAILED
        reads = [self._read(item, use) for use in uses]
        if any(read is None for read in reads):
            return UNJUDGED
        every = [read for read in reads if read is not None]
        first, answer = every[0], self.said[uses[0]]
        told = next((read for read in every if read.correct < 1.0), first)
        agreement = self._agreement(item, control, first)
        if isinstance(agreement, str):
            return agreement
        chain = Chain.parse(answer.text)
        return Judged(
            id=item.id,
            item=item.item,
            group=item.group,
            split=item.split,
            level=item.level,
            operator=item.operator,
            stage=item.stage,
            intensity_sum=item.intensity_sum,
            task=item.task,
            control=control,
            choices=len(item.question.choices) if item.task == "mcq" else 0,
            rotations=len(uses),
            correct=min(read.correct for read in every),
            vanilla=first.correct,
            chosen=first.chosen,
            rule=told.rule,
            agreement=agreement,
            well_formed=well_formed(answer.text) is not None if self.how.chain else None,
            truth=item.types,
            named=_named(answer.text) if self.how.chain else None,
            tokens=answer.tokens,
            reasoning_tokens=len(tokens(chain.reasoning)) if isinstance(chain, Chain) else None,
            cut=answer.cut,
        )

    def _read(self, item: Item, use: Use) -> _Read | None:
        answer = self.said[use]
        if answer.status != "ok":
            return _Read(0.0, "", answer.status)
        read = self._option(item, use) if item.task == "mcq" else self._free(item, answer.text)
        if item.task not in self.how.judged:
            return read
        rated = self.verdicts[(use, "truth")]
        return None if rated is None else _Read(rated, read.chosen, "judge")

    def _option(self, item: Item, use: Use) -> _Read:
        if use not in self._options:
            self._options[use] = self._named_option(item, use)
        return self._options[use]

    def _named_option(self, item: Item, use: Use) -> _Read:
        choices = item.question.choices
        listed = rotated(choices, use.rotation)
        found = rules.read(self.said[use].text, listed, form_of(item, self.how.labels))
        if found.option is None:
            return _Read(0.0, "", found.rule)
        option = unrotated(found.option, use.rotation, len(choices))
        right = option == item.question.answer_index
        return _Read(float(right), choices[option], found.rule)

    def _free(self, item: Item, text: str) -> _Read:
        given, rule = free(text)
        right = free_score(given, item.question.answer, item.references) if given else 0.0
        if not right and declines(text):
            return _Read(0.0, "", "refusal")
        return _Read(right, given, rule)

    def _agreement(self, item: Item, control: Control, read: _Read) -> float | str | None:
        """Agreement with the model's own answer about the undamaged picture."""
        own = self._reference(item) if control == "none" else None
        if own is None or self.said[own].status == "failed":
            return None
        use = Use(item.id, "none", 0)
        if item.task in self.how.judged:
            if self._text(use) is None or self._text(own) is None:
                return 0.0
            rated = self.verdicts[(use, "agreement")]
            return UNJUDGED if rated is None else rated
        if self._text(own) is None:
            return 0.0
        if item.task == "mcq":
            return float(read.chosen == self._option(item, own).chosen != "")
        return float(same_free(read.chosen, self._free(item, self.said[own].text).chosen))


def _truths(item: Item) -> tuple[str, ...]:
    if item.task == "caption":
        return item.references or (item.question.answer,)
    if item.task == "mcq":
        return (item.question.answer_text,)
    return (item.question.answer or item.references[0],)


def _named(text: str) -> tuple[Degradation, ...] | None:
    """The degradations of an answer's TYPE block, also where the rest is no chain."""
    if (said := block(text, _TYPE)) is None:
        return None
    chain = Chain.parse(f"<{_TYPE}>{said}<{_TYPE}_END>\n{_REST}")
    return chain.types if isinstance(chain, Chain) else None
