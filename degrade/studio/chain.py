"""What is done to the picture: a chain of records, and each change to it as a new chain.

The state of a visitor is data that nothing changes in place. A step is the record it stands for, so
that what the page shows, what it copies and what it draws cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from degrade import ops
from degrade.errors import UserError
from degrade.params import Choice, Draw, Severity
from degrade.plans import GRID
from degrade.registry import Operator
from degrade.schema import Applied

MOST_STEPS = 16
START = 0.5


@dataclass(frozen=True)
class Step:
    """One operator of a chain.

    Attributes:
        uid: Names it while others come and go.
        record: What is done, for the picture at its full size.
        chosen: Arguments that the visitor set by hand.
        turn: How often its draws were made anew.
    """

    uid: int
    record: Applied
    chosen: frozenset[str] = frozenset()
    turn: int = 0

    @property
    def operator(self) -> Operator:
        """The operator that the record is of."""
        return ops.get(self.record.operator)


@dataclass(frozen=True)
class Chain:
    """Steps in order for a picture.

    Attributes:
        side: Short side of the picture in pixels.
        seed: Root of all draws.
        steps: In order of application.
        next_uid: For the next step.
    """

    side: int
    seed: int = 0
    steps: tuple[Step, ...] = ()
    next_uid: int = 1

    @property
    def records(self) -> tuple[Applied, ...]:
        """What is done, in order."""
        return tuple(step.record for step in self.steps)

    def step(self, uid: int) -> Step:
        """The step of that name.

        Raises:
            UserError: It was removed.
        """
        for step in self.steps:
            if step.uid == uid:
                return step
        raise UserError("That step is not there any more. Reload the page if it still shows.")

    def _with(self, step: Step) -> Chain:
        steps = tuple(step if s.uid == step.uid else s for s in self.steps)
        return replace(self, steps=steps)

    def add(self, name: str, intensity: float = START) -> Chain:
        """The chain with one more operator at its end.

        Raises:
            UserError: No such operator, or the chain is full.
        """
        if len(self.steps) >= MOST_STEPS:
            raise UserError(f"A chain here has {MOST_STEPS} steps at most. Remove one first.")
        key = (self.seed, "studio", self.next_uid, 0)
        record = ops.get(name).sample(intensity, key, self.side)
        step = Step(self.next_uid, record)
        return replace(self, steps=(*self.steps, step), next_uid=self.next_uid + 1)

    def remove(self, uid: int) -> Chain:
        """The chain without a step."""
        return replace(self, steps=tuple(s for s in self.steps if s.uid != uid))

    def move(self, uid: int, by: int) -> Chain:
        """The chain with a step earlier (-1) or later (+1); at an end nothing changes."""
        steps = list(self.steps)
        place = steps.index(self.step(uid))
        target = min(max(place + by, 0), len(steps) - 1)
        steps.insert(target, steps.pop(place))
        return replace(self, steps=tuple(steps))

    def redraw(self, uid: int) -> Chain:
        """The chain with a step's draws made anew, but for what was set by hand."""
        step = self.step(uid)
        return self._with(self._redrawn(replace(step, turn=step.turn + 1)))

    def reseed(self, seed: int) -> Chain:
        """The chain with all draws from another root seed, but for what was set by hand."""
        chain = replace(self, seed=seed)
        return replace(chain, steps=tuple(chain._redrawn(s) for s in self.steps))

    def _redrawn(self, step: Step) -> Step:
        record, above = step.record, overridden(step.record)
        declared = {a.name: a.declaration for a in step.operator.arguments}
        chosen = step.chosen | above.keys()
        if any(getattr(declared[name], "only", ()) for name in chosen):
            # Values that only some kinds have keep their kind.
            chosen |= {name for name, d in declared.items() if isinstance(d, Choice)}
        kept = {k: v for k, v in fixed(record).items() if k in chosen}
        key = (self.seed, "studio", step.uid, step.turn)
        if above:
            return replace(step, record=_sampled(record, None, key, self.side, kept | above))
        return replace(step, record=_sampled(record, record.intensity, key, self.side, kept))

    def set_intensity(self, uid: int, intensity: float) -> Chain:
        """The chain with a step at another intensity, which its values follow again."""
        step = self.step(uid)
        chosen = step.chosen - {a.name for a in step.operator.arguments if _severe(a.declaration)}
        key = (self.seed, "studio", uid, step.turn)
        given = fixed(step.record)
        record = _sampled(step.record, round(float(intensity), 2), key, self.side, given)
        return self._with(replace(step, record=record, chosen=chosen))

    def set_value(self, uid: int, name: str, value: float | str) -> Chain:
        """The chain with one argument of a step decided.

        Args:
            uid: The step.
            name: The argument. One that follows the intensity takes the intensity along.
            value: In its unit (lengths in pixels of the whole picture), a kind's name, or a seed.

        Raises:
            UserError: It is not a value that the argument can take.
        """
        step = self.step(uid)
        record, key = step.record, (self.seed, "studio", uid, step.turn)
        declared = {a.name: a.declaration for a in step.operator.arguments}
        given = fixed(record) | {name: value}
        if isinstance(declared[name], Choice):  # another kind has other arguments
            only = {k: v for k, v in given.items() if isinstance(declared[k], Choice)}
            told = step.operator.sample(record.intensity, key, self.side, only)
            given = {k: v for k, v in given.items() if k in names_of(told)}
            made = _sampled(record, record.intensity, key, self.side, given)
        elif _severe(declared[name]):
            made = _sampled(record, None, key, self.side, given)
        elif above := overridden(record):
            made = _sampled(record, None, key, self.side, given | above)
        else:
            made = _sampled(record, record.intensity, key, self.side, given)
        return self._with(replace(step, record=made, chosen=step.chosen | {name}))

    def resized(self, side: int) -> Chain:
        """The same chain for a picture of another size; lengths grow with it."""
        steps = tuple(replace(s, record=rescaled(s.record, side)) for s in self.steps)
        return replace(self, side=side, steps=steps)

    def of(self, records: Iterable[Applied], seed: int) -> Chain:
        """A chain of these records, such as a recipe drew for this picture."""
        uids = range(self.next_uid, self.next_uid + MOST_STEPS)
        steps = tuple(Step(uid, record) for uid, record in zip(uids, records, strict=False))
        return replace(self, seed=seed, steps=steps, next_uid=self.next_uid + MOST_STEPS)


def _severe(declaration: object) -> bool:
    return isinstance(declaration, Severity)


def _sampled(
    record: Applied,
    intensity: float | None,
    key: tuple[str | int, ...],
    side: int,
    given: Mapping[str, float | str],
) -> Applied:
    return ops.get(record.operator).sample(intensity, key, side, given)


def names_of(record: Applied) -> set[str]:
    """Names of the arguments that a record tells."""
    return {p.name for p in record.params} | {s.name for s in record.seeds}


def fixed(record: Applied) -> dict[str, float | str]:
    """What does not follow the intensity: drawn values, kinds by name, seeds."""
    declared = {a.name: a.declaration for a in ops.get(record.operator).arguments}
    params: dict[str, float | str] = {
        p.name: p.unit if isinstance(declared[p.name], Choice) else p.value
        for p in record.params
        if not _severe(declared[p.name])
    }
    return params | {s.name: s.value for s in record.seeds}


def overridden(record: Applied) -> dict[str, float | str]:
    """Values that follow the intensity by declaration, where they are not what it stands for."""
    declared = {a.name: a.declaration for a in ops.get(record.operator).arguments}
    found: dict[str, float | str] = {}
    for p in record.params:
        d = declared[p.name]
        if isinstance(d, Severity) and p.value != d.at(record.intensity, record.short_side):
            found[p.name] = p.value
    return found


def severe(record: Applied) -> dict[str, float | str]:
    """All values that follow the intensity by declaration."""
    declared = {a.name: a.declaration for a in ops.get(record.operator).arguments}
    return {p.name: p.value for p in record.params if _severe(declared[p.name])}


def on_grid(record: Applied) -> bool:
    """Whether the intensity is one that a recipe can give."""
    return record.intensity == round(record.intensity * GRID) / GRID


def rescaled(record: Applied, side: int) -> Applied:
    """The record for the same picture with another short side, in pixels."""
    if side == record.short_side:
        return record
    operator, scale = ops.get(record.operator), side / record.short_side
    lengths = {
        a.name
        for a in operator.arguments
        if isinstance(a.declaration, Severity | Draw) and a.declaration.relative
    }
    above = overridden(record)
    given = {
        k: v * scale if k in lengths and not isinstance(v, str) else v
        for k, v in (fixed(record) | above).items()
    }
    made = operator.sample(None if above else record.intensity, "rescaled", side, given)
    if above or on_grid(record):
        return made
    # The values decide, as in a recipe, which cannot give an intensity between its steps.
    return operator.sample(None, "rescaled", side, fixed(made) | severe(made))
