"""How questions are put: styles as YAML files, filled in. A changed style is another evaluation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from typing import Literal, NamedTuple

from degrade.configs import preset_names, read_named, validated
from degrade.errors import UserError, unknown
from degrade.schema import LETTERS, AnswerForm, Chain, Question, Record
from trainer.evaluation.items import Item
from trainer.evaluation.records import Control

_FOLDER = resources.files("trainer.evaluation") / "styles"
_FIELD = re.compile(r"\{(\w+)\}")


class Style(Record):
    """How a question becomes a prompt.

    Templates hold ``{question}``, ``{options}``, ``{request}`` (the question, its options and the
    five blocks to reply in, as models are trained: ``Chain.request``); ``told`` and ``told_clean``
    hold ``{prompt}`` and ``{types}``; ``option`` holds ``{label}`` and ``{text}``.

    Attributes:
        name: For settings and tables.
        summary: What it is.
        labels: ``letter``, ``index``, or ``own``: as the data set has its answers; where these are
            texts the options are numbered, as in training.
        chain: Whether a chain is asked for, so that one that is none is malformed.
        option: How an option is written.
        separator: What stands between options.
        mcq, vqa, caption: The prompt of each kind of question.
        told: Of the control that names the damage; ``told_clean`` where there is none.
    """

    name: str
    summary: str = ""
    labels: Literal["letter", "index", "own"] = "letter"
    chain: bool = False
    option: str = "{label}. {text}"
    separator: str = "\n"
    mcq: str
    vqa: str
    caption: str
    told: str
    told_clean: str

    @property
    def version(self) -> str:
        """Hash of all that it is made of; of the blocks too, where they are asked for."""
        text = self.model_dump_json() + (Chain.instruction() if self.chain else "")
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def style(name: str) -> Style:
    """A style by name, or a YAML file by path.

    Raises:
        UserError: There is none, or a key or field of a template is wrong.
    """
    data = read_named(name, _FOLDER)
    if data is None:
        raise unknown("prompt", name, [*style_names(), "or a .yaml file"])
    made = validated(Style, data, f"the prompt {name}")
    fields = {
        "option": {"label", "text"},
        "mcq": {"question", "options", "request"},
        "vqa": {"question", "request"},
        "caption": {"question", "request"},
        "told": {"prompt", "types"},
        "told_clean": {"prompt"},
    }
    for key, allowed in fields.items():
        for field in _FIELD.findall(getattr(made, key)):
            if field not in allowed:
                raise UserError(f"In the prompt {name}: {key}: {unknown('field', field, allowed)}")
    return made


def style_names() -> list[str]:
    """The styles that ship."""
    return preset_names(_FOLDER)


class Prompt(NamedTuple):
    """A question as it is put.

    Attributes:
        text: The words.
        choices: The options in the order in which they are listed.
        form: How these are labelled: what a reply may call them.
    """

    text: str
    choices: tuple[str, ...]
    form: AnswerForm


def rotated(choices: tuple[str, ...], places: int) -> tuple[str, ...]:
    """Options moved up by some places: the first becomes the last after one."""
    return choices[places:] + choices[:places]


def unrotated(index: int, places: int, count: int) -> int:
    """Which option of the original order stands at an index of the rotated one."""
    return (index + places) % count


def form_of(item: Item, labels: str) -> AnswerForm:
    """How the options of a row are labelled; letters reach to Z, then it is numbers.

    Args:
        item: The row.
        labels: Of a style; or ``listed``: as the data set has its answers, texts without labels.
    """
    form = item.question.answer_as or "text" if labels in ("own", "listed") else labels
    if form == "text" and labels == "own":
        return "index"
    if form == "letter" and len(item.question.choices) > LETTERS:
        return "index"
    return form  # type: ignore[return-value]


def prompt(item: Item, how: Style, control: Control = "none", rotation: int = 0) -> Prompt:
    """What the model is asked.

    Args:
        item: The row.
        how: In which style.
        control: Whether the damage is told. The words of ``blind`` are those of ``none``.
        rotation: By how many places the options are rotated.

    Raises:
        UserError: The damage is to be told and is not known.
    """
    form = form_of(item, how.labels)
    choices = rotated(item.question.choices, rotation) if item.task == "mcq" else ()
    # Without an answer it has only to be put: a rotated index would be another option.
    asked = Question(question=item.question.question, choices=choices, answer_as=form)
    labels = [chr(65 + i) if form == "letter" else str(i) for i in range(len(choices))]
    lines = [
        _filled(how.option, {"label": label, "text": text}) if form != "text" else text
        for label, text in zip(labels, choices, strict=True)
    ]
    fields = {
        "question": item.question.question,
        "options": how.separator.join(lines),
        "request": Chain.request(asked),
    }
    text = _filled(getattr(how, item.task), fields)
    if control == "told":
        if not item.recorded:
            raise UserError(
                f"The damage of {item.id} is not recorded, so it cannot be told: leave out "
                "--control told."
            )
        types = ", ".join(f"{t.label}({t.intensity:.2f})" for t in item.types)
        template = how.told if item.types else how.told_clean
        text = _filled(template, {"prompt": text, "types": types})
    return Prompt(text, choices, form)


def _filled(template: str, fields: Mapping[str, str]) -> str:
    """A template with its fields; what a field holds is not looked at again."""
    return _FIELD.sub(lambda m: fields.get(m[1], m[0]), template).strip()
