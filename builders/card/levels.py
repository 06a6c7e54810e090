"""The sections of the card of a benchmark, where they differ from those of a data set."""

from __future__ import annotations

from typing import Any

from builders.card.markdown import fenced, packed, table
from builders.card.texts import drawn_share, label, lost_rows
from builders.table import CLEAN, Dataset, Example
from degrade.plots import Operators

_PROTOCOLS = {
    "degrade": "the operators of `degrade`, at these intensities",
    "robust-r1": "the formulas that Robust-R1 released, at the intensities of its script, with "
    "their defects",
    "source": "the pictures as the source publishes them, damaged by its authors",
}


def _recipe(data: Dataset) -> dict[str, Any]:
    found: dict[str, Any] = data.info["settings"]["recipe"]
    return found


def _levels(data: Dataset) -> dict[str, float]:
    """Split -> level."""
    return dict(zip(data.splits, _recipe(data)["levels"], strict=True))


def lead(data: Dataset, pictures: bool) -> str:
    """What it is, in one paragraph."""
    counts, recipe = data.info["counts"], _recipe(data)
    items = counts["splits"][data.splits[0]]["rows"]
    levels = ", ".join(f"{level:g}" for level in recipe["levels"][1:])
    each = "at one more level of damage of" if recipe["protocol"] == "source" else "at levels"
    text = (
        f"{recipe['summary'].strip().rstrip('.')}. **{items:,} questions**, each asked about the "
        f"undamaged picture and {each} {levels}: {counts['rows']:,} rows. "
    )
    if recipe["protocol"] != "source":
        text += (
            "The levels of a question share the operator, its place, angle and noise, and differ "
            "in strength alone. Every row has the record that made its picture of the clean one. "
        )
    if not pictures:
        text += "This is the table without pictures, which are made again from the source. "
    return text + "Questions and answers are those of the source."


def load(data: Dataset, where: str, pictures: bool) -> str:
    """How to read it, and how to ask a model."""
    from builders.card.texts import load as as_data

    if not pictures:
        return as_data(data, where, pictures)
    last = data.splits[-1]
    return "\n".join(
        (
            "```python",
            "from datasets import load_dataset",
            "",
            f'data = load_dataset("{where}")  # {", ".join(data.splits)}',
            f'for row in load_dataset("{where}", split="{last}", streaming=True):',
            '    row["image"], row["clean_image"]  # PIL pictures',
            '    row["item"], row["level"], row["question"], row["choices"], row["answer"]',
            "```",
            "For evaluators: `degrade-cli export DIR OUT --to vlmevalkit` writes one TSV whose "
            "report is the table of robustness, `--to lmms-eval` a task with the accuracy of each "
            "level.",
        )
    )


def splits(data: Dataset) -> str:
    """The levels."""
    counts = data.info["counts"]["splits"]
    rows = [
        (f"`{split}`", f"{level:g}", counts[split]["rows"], counts[split]["groups"],
         ", ".join(f"{task} {n:,}" for task, n in counts[split]["tasks"].items()))
        for split, level in _levels(data).items()
    ]  # fmt: skip
    text = [
        f"Damage: {_PROTOCOLS[_recipe(data)['protocol']]}.",
        table(("split", "level", "rows", "different pictures", "tasks"), rows),
        "`item` is the same for all levels of a question; `group` for all questions about one "
        "picture, or about nearly the same: intervals should be drawn by group.",
    ]
    return "\n\n".join(text)


def degraded(data: Dataset, names: Operators) -> str:
    """How many items each operator damages."""
    recipe, counts = _recipe(data), data.info["counts"]["splits"]
    if recipe["protocol"] == "source":
        return _tagged(data)
    last = counts[data.splits[-1]]
    share = {True: "of those that training has seen", False: "of those that training has not seen"}
    which = f", {share[recipe['families'] == 'seen']}" if recipe["families"] != "all" else ""
    several = {n: rows for n, rows in last["per_row"].items() if n != "1"}
    how = "Each item has one operator" if not several else "Items have several operators"
    rows = [(label(name), stage, last["operators"][name]) for name, stage in names]
    return "\n\n".join(
        (
            f"{how}, drawn by stage first{which}, the same at every level:",
            "![Share of items per operator](assets/operators.png)",
            table(("operator", "stage", "items"), rows),
            "Few items have any one operator: read accuracies of single operators with their "
            "intervals.",
        )
    )


def _tagged(data: Dataset) -> str:
    """What the source says of its damage, by level."""
    counts = data.info["counts"]["splits"]
    damaged = [split for split in data.splits if split != CLEAN]
    tags = sorted({tag for split in damaged for tag in counts[split]["tags"]}, key=_by_number)
    rows = [[tag, *(counts[split]["tags"].get(tag, 0) for split in damaged)] for tag in tags]
    return "What the source says of the damage (`source_tags`), in rows:\n\n" + table(
        ["tag", *(f"`{split}`" for split in damaged)], rows
    )


def _by_number(tag: str) -> tuple[str, int, str]:
    name, _, value = tag.partition("=")
    return name, int(value) if value.isdigit() else 0, value


def sample(row: Example, pictures: tuple[str, str] | None) -> str:
    """A row: pictures, question and record."""
    text = []
    if pictures:
        text.append(
            f"| clean | level {row.level:g} |\n| --- | --- |\n"
            f"| ![clean](assets/{pictures[0]}) | ![degraded](assets/{pictures[1]}) |"
        )
    chains = ("chain", "influence", "reasoning", "conclusion", "depth_target", "reasoning_tokens")
    values = row.model_dump(mode="json", exclude={*chains, "writer", "answerable", "use"})
    text += ["What is asked:", fenced(row.asked.prompt()), "The row (empty columns left out):"]
    return "\n\n".join([*text, fenced(packed(values), "json")])


def limits(data: Dataset) -> str:
    """What a user should know before relying on it."""
    recipe = _recipe(data)
    found = [text for text in (drawn_share(data), *recipe["choices"]) if text]
    if recipe["protocol"] == "degrade":
        found.append(
            "A level is what the operators were told. Damage grows with it for each operator, but "
            "0.5 of one does not hide as much as 0.5 of another."
        )
    if recipe["protocol"] == "robust-r1":
        found.append(
            "The published formulas are kept as they are: at equal levels their damage differs "
            "widely, some are alike at all levels, some depend on the size of the picture. Use "
            "this to compare with published numbers; for anything else leave `--protocol` out."
        )
    if recipe["protocol"] != "source":
        found.append("The degradations are simulated. Real cameras damage pictures in other ways.")
    found.append(
        "Models may have seen the source's pictures and questions in training: compare levels, "
        "and ask without the picture too."
    )
    found += lost_rows(data)
    return "\n".join(f"- {text}" for text in found)


def citation() -> str:
    """What to cite."""
    return (
        "Please cite the source of the questions and pictures. The degradations and their levels "
        "follow Robust-R1 (arXiv 2512.17532, AAAI-26)."
    )
