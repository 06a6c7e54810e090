"""Before training: every row is looked at as training will see it; what will not do is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from degrade import images
from degrade.errors import UserError
from degrade.runs import Progress
from degrade.schema import Chain, Record
from degrade.threads import bounded_map
from trainer import data
from trainer.answers import REFUSALS
from trainer.config import Config
from trainer.rewards import agreement, same_answer, well_formed

LISTED = 5


class Refused(Record):
    """A row that cannot be trained on: a line of ``refused.jsonl``."""

    id: str
    reason: str
    detail: str


@dataclass
class Lengths:
    """Of one kind of sequence, in tokens."""

    values: list[int] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """Least, mean, 95th percentile and most."""
        found = sorted(self.values) or [0]
        return {
            "least": found[0],
            "mean": round(sum(found) / len(found), 1),
            "p95": found[int(0.95 * (len(found) - 1))],
            "most": found[-1],
        }


@dataclass
class Report:
    """What was found.

    Attributes:
        kept: Numbers of the rows to train on.
        refused: The others, with why.
        without_chain: Rows whose chain was refused when the data set was built; left out, as the
            data set says so itself.
        too_long: For RL, rows whose own chain is longer than an answer may be. They are kept: a
            shorter chain can be right as well, but not as deep as it is asked to be.
        pictures, prompts, completions: Tokens of the picture, the prompt with it, the completion.
    """

    kept: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    without_chain: int = 0
    too_long: int = 0
    pictures: Lengths = field(default_factory=Lengths)
    prompts: Lengths = field(default_factory=Lengths)
    completions: Lengths = field(default_factory=Lengths)

    @property
    def lengths(self) -> tuple[Lengths, Lengths, Lengths]:
        """In the order in which a row's are found."""
        return self.pictures, self.prompts, self.completions

    def summary(self) -> dict[str, Any]:
        """For files and people."""
        return {
            "rows": len(self.kept),
            "refused": dict(sorted(Counter(r.reason for r in self.refused).items())),
            "without_chain": self.without_chain,
            "too_long": self.too_long,
            "picture_tokens": self.pictures.summary(),
            "prompt_tokens": self.prompts.summary(),
            "completion_tokens": self.completions.summary(),
        }

    def stop(self, where: str) -> None:
        """Refuse to train where rows were refused.

        Raises:
            UserError: They were; names the first.
        """
        if not self.refused:
            return
        first = "; ".join(f"{r.id}: {r.detail}" for r in self.refused[:LISTED])
        more = len(self.refused) - LISTED
        raise UserError(
            f"{len(self.refused)} of {len(self.refused) + len(self.kept)} rows cannot be trained "
            f"on: {first}{f'; and {more} more' if more > 0 else ''}. All are listed in {where}. "
            "Mend them, or set data.refused to drop to train without them."
        )


class _BadRowError(Exception):
    """One row's reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail

    def refused(self, identity: object) -> Refused:
        """As a line of the file; an id may itself be what is wrong."""
        return Refused(id=str(identity), reason=self.reason, detail=self.detail)


class Preflight:
    """Looks at rows.

    Args:
        config: Of the run.
        kind: Of training.
        processor: Of the model.
        context: Tokens that the model can hold, prompt and answer together; 0 where unknown.
    """

    def __init__(self, config: Config, kind: data.Kind, processor: Any, context: int = 0) -> None:
        self._config, self._kind, self._processor = config, kind, processor
        self._context = context
        added = processor.tokenizer.added_tokens_decoder
        self._own = {number: str(token) for number, token in added.items() if token.special}
        if processor.tokenizer.padding_side != "left":
            raise UserError(
                "The processor pads on the right, where GRPO would mix up pictures' tokens: load "
                "it with trainer.models.load_processor."
            )

    def check(self, table: Any, workers: int, progress: Progress | None = None) -> Report:
        """Look at all rows.

        Args:
            table: Of :func:`trainer.data.selected`.
            workers: Threads.
            progress: Told how many are done of how many.
        """
        report, total = Report(), len(table)
        with ThreadPoolExecutor(workers) as pool:
            seen = bounded_map(pool, self._look, table, window=2 * workers)
            for number, (row, result) in enumerate(seen):
                self._count(report, number, row, result)
                if progress:
                    progress(number + 1, total)
        if not report.kept and not report.refused:
            raise UserError(f"No row of {self._config.data.path} has a chain.")
        return report

    def watched(self, table: Any) -> Any:
        """The rows of the watched split that are answered during training: the first few.

        Raises:
            UserError: There are none, or one cannot be asked about and ``data.refused`` is `stop`.
        """
        data_, watch = self._config.data, self._config.watch
        rows = table.select(range(min(watch.rows, len(table))))
        report = self.check(rows, workers=1) if len(rows) else Report()
        if report.refused and data_.refused == "stop":
            first = report.refused[0]
            raise UserError(
                f"Row {first.id} of {data_.watch_split}, which is answered during training, will "
                f"not do: {first.detail}. Mend it, or set data.refused to drop, or "
                "watch.answer_every to 0."
            )
        if not report.kept:
            raise UserError(
                f"No row of {data_.watch_split} can be answered during training: set "
                "watch.answer_every to 0, or data.watch_split to another split."
            )
        return rows.select(report.kept)

    def _look(self, row: dict[str, Any]) -> tuple[dict[str, Any], images.Pixels | Refused | None]:
        """The row with its picture; why it is refused; or None where it was never meant for it."""
        try:
            if wrong := data.misfit(row):
                raise _BadRowError("columns", wrong)
            if self._needs_chain() and row["status"] != data.OK:
                return row, None
            self._labels(row)
            return row, self._picture(row)
        except _BadRowError as error:
            return row, error.refused(row["id"])

    def _count(
        self, report: Report, number: int, row: dict[str, Any], seen: images.Pixels | Refused | None
    ) -> None:
        if seen is None:
            report.without_chain += 1
            return
        if not isinstance(seen, Refused):
            try:  # in this thread: tokenizers do not like to be shared
                lengths = self._tokens(row, seen)
            except _BadRowError as error:
                seen = error.refused(row["id"])
            else:
                report.kept.append(number)
                limit = self._config.rl.max_new_tokens
                report.too_long += self._kind == "rl" and lengths[2] > limit
                for found, length in zip(report.lengths, lengths, strict=True):
                    found.values.append(length)
                return
        report.refused.append(seen)

    def _needs_chain(self) -> bool:
        if self._kind == "sft":
            return self._config.data.target == "chain"
        return any(name.startswith("r1_") for name in self._config.rl.rewards)

    def _labels(self, row: Mapping[str, Any]) -> None:
        """What is learnt and what answers are judged by agree with each other."""
        if not row["answer"]:
            raise _BadRowError("no_answer", "it has no answer")
        if row["choices"] and data.question(row).answer_index is None:
            raise _BadRowError("answer", f"its answer {row['answer']!r} is none of its choices")
        if not same_answer(row["answer"], row["answer"], row["choices"] or (), row["answer_as"]):
            # No reply can be told right: nothing is left of the answer without its punctuation, or
            # another choice differs from it in case and punctuation alone.
            what = "two of its choices read" if row["choices"] else "there is no word in its answer"
            raise _BadRowError("answer", f"{what} {row['answer']!r}")
        if self._config.data.target == "answer":
            return
        self._types(row)
        if row["status"] == data.OK:
            self._chain(row)

    def _types(self, row: Mapping[str, Any]) -> None:
        named = [(t["label"], t["intensity"]) for t in row["types"]]
        known = [(t.label, t.intensity) for t in Chain.types_of(data.records(row))]
        if agreement(named, known) != 1.0:
            raise _BadRowError("types", "its types are not those of its record")
        if row["depth_target"] < 1:
            raise _BadRowError("depth", f"its depth target is {row['depth_target']}")

    def _chain(self, row: Mapping[str, Any]) -> None:
        chain = well_formed(row["chain"])
        if chain is None:
            found = Chain.parse(row["chain"])
            why = getattr(found, "reason", "a block is empty")
            raise _BadRowError("chain", f"its chain does not parse: {why}")
        said = [(t.label, t.intensity) for t in chain.types]
        known = [(t["label"], t["intensity"]) for t in row["types"]]
        if agreement(said, known) != 1.0:
            raise _BadRowError("types", "its chain names other degradations than its record")
        if not same_answer(chain.answer, row["answer"], row["choices"] or (), row["answer_as"]):
            raise _BadRowError(
                "answer", f"its chain answers {chain.answer!r}, the row {row['answer']!r}"
            )

    def _picture(self, row: Mapping[str, Any]) -> images.Pixels:
        which = self._config.data.picture
        try:
            if self._kind == "rl" and self._config.rl.consistency > 0:
                data.picture(row, "clean")
            return data.picture(row, which)
        except images.UnreadableError as error:
            raise _BadRowError("picture", f"its picture does not open: {error.detail}") from None
        except UserError as error:
            raise _BadRowError(
                "record", f"its record does not replay: {str(error).rstrip('.')}"
            ) from None

    def _tokens(self, row: Mapping[str, Any], pixels: images.Pixels) -> tuple[int, int, int]:
        """Tokens of picture, prompt and completion, as the model's own processor makes them."""
        from PIL import Image

        target = self._config.data.target
        asked, said = data.prompt(data.question(row), target), data.completion(row, target)
        self._free_of_own(f"{asked}\n{said}" if self._kind == "sft" else asked)
        content = [{"type": "image"}, {"type": "text", "text": asked}]
        processor, user = self._processor, {"role": "user", "content": content}
        text = processor.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
        try:
            made = processor(text=[text], images=[Image.fromarray(pixels)], return_tensors="np")
        except REFUSALS as error:
            raise _BadRowError(
                "placeholders", f"the processor refuses it: {str(error).rstrip('.')}"
            ) from None
        ids = made["input_ids"][0]
        shown = int((ids == processor.image_token_id).sum())
        if "image_grid_thw" in made:
            patches = int(made["image_grid_thw"][0].prod())
            wanted = patches // processor.image_processor.merge_size**2
            if shown != wanted:
                raise _BadRowError(
                    "placeholders", f"its prompt holds {shown} places for {wanted} picture tokens"
                )
        if shown == 0:
            raise _BadRowError("placeholders", "its prompt has no place for the picture")
        answer = self._answer(said, user, text)
        self._fits(len(ids), answer)
        return shown, len(ids), answer

    def _free_of_own(self, text: str) -> None:
        """The model's own tokens would be a picture, a turn or an end in the middle of a row."""
        if held := self._own.keys() & self._ids(text):
            names = ", ".join(sorted(self._own[number] for number in held))
            raise _BadRowError("placeholders", f"it holds tokens that are the model's own: {names}")

    def _answer(self, said: str, user: dict[str, Any], prompt: str) -> int:
        """Tokens of an answer: as it is generated, or as it is learnt, with the template's end."""
        if self._kind == "rl":
            return len(self._ids(said)) + 1  # the end
        answered = [user, {"role": "assistant", "content": [{"type": "text", "text": said}]}]
        whole = self._processor.apply_chat_template(answered, tokenize=False)
        return len(self._ids(whole)) - len(self._ids(prompt))

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def _fits(self, prompt: int, answer: int) -> None:
        """Nothing would be cut off."""
        if self._kind == "sft":
            limits = {"sft.max_tokens": self._config.sft.max_tokens, "the model": self._context}
            whole, room = prompt + answer, limits
        else:
            rl = self._config.rl
            if answer > rl.max_new_tokens and self._needs_chain():
                raise _BadRowError(
                    "length", f"its chain has {answer} tokens, rl.max_new_tokens is less"
                )
            left = max(0, self._context - rl.max_new_tokens) if self._context else 0
            whole, room = prompt, {"rl.max_prompt_tokens": rl.max_prompt_tokens, "the model": left}
        for what, limit in room.items():
            if limit and whole > limit:
                raise _BadRowError("length", f"{whole} tokens are more than {what} holds, {limit}")


def context(config: Any) -> int:
    """Tokens that a model of this configuration holds; 0 where it does not say."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", 0) or 0)
