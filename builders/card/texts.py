"""The sections of a data card in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import yaml

from builders.card.markdown import WIDTH, described, fenced, packed, table
from builders.licenses import Used, derivatives
from builders.table import QUARANTINE, RECIPE, Dataset, Example
from degrade.plots import BINS, Operators

_PICTURES = {
    "image": "The degraded picture: original bytes of the file, as `encoding` says.",
    "clean_image": "The same picture undamaged: the source's own bytes where it was not converted.",
}

_BIBTEX = """
@inproceedings{tang2026robustr1,
  title     = {Robust-{R1}: Degradation-Aware Reasoning for Robust Visual Understanding},
  author    = {Tang, Jiaqi and Chen, Jianmin and Wei, Wei and Xu, Xiaogang and Liu, Runtao and
               Wu, Xiangyu and Xie, Qipeng and Wu, Jiafei and Zhang, Lei and Chen, Qifeng},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  year      = {2026},
  note      = {arXiv:2512.17532}
}
"""


def label(operator: str) -> str:
    """``lens blur`` for ``lens_blur``."""
    return operator.replace("_", " ")


def title(data: Dataset) -> str:
    """``robust-r1-11k`` as ``Robust R1 11k``."""
    words = data.name.split("-")
    return " ".join(word[:1].upper() + word[1:] for word in words)


def lead(data: Dataset, pictures: bool) -> str:
    """What it is, in one paragraph."""
    counts, recipe = data.info["counts"], data.info["settings"]["recipe"]
    text = (
        f"{recipe['summary'].strip().rstrip('.')}. **{counts['rows']:,} rows**, each with a "
        "degraded picture, the undamaged picture that it was made from, a record of every operator "
        "with its parameters and seeds, a question with its answer, and a reasoning chain that "
        "names the damage, says what it hides, and answers all the same. "
    )
    if not pictures:
        text = text.replace(
            "**, each with", "** without their pictures, which are made again from the source: "
            "each stands for", 1,
        )  # fmt: skip
    return text + "Every degraded picture can be made again from the clean one and its record."


def load(data: Dataset, where: str, pictures: bool) -> str:
    """How to read it."""
    if not pictures:
        return "\n".join(
            (
                "The table alone:",
                "```python",
                "from datasets import load_dataset",
                "",
                f'rows = load_dataset("{where}", split="recipe")',
                "```",
                "With the pictures, once you have the source (`KIND:PATH` names it, such as "
                "`folder:photos` or `huggingface:org/name`):",
                "```",
                f"hf download {where} --repo-type dataset --local-dir recipe",
                "degrade-cli replay recipe/recipe.parquet --source KIND:PATH out",
                "```",
            )
        )
    splits = data.splits
    uses = data.info["counts"]["splits"][splits[0]]["uses"]
    other = splits[1] if len(splits) > 1 else splits[0]
    lines = [
        "```python",
        "from datasets import load_dataset",
        "",
        f'data = load_dataset("{where}")  # {", ".join(splits)}',
    ]
    lines += [
        f'{use} = load_dataset("{where}", "{use}", split="{splits[0]}")  # {n:,} rows'
        for use, n in uses.items()
    ]
    lines += [
        "",
        f'for row in load_dataset("{where}", split="{other}", streaming=True):',
        '    row["image"], row["clean_image"]  # PIL pictures',
        '    row["question"], row["choices"], row["answer"], row["chain"]',
        "```",
    ]
    return "\n".join(lines)


def splits(data: Dataset) -> str:
    """The splits, what is held out, and the uses."""
    counts, recipe = data.info["counts"]["splits"], data.info["settings"]["recipe"]
    rows = [
        (
            f"`{name}`",
            c["rows"],
            c["ok"],
            c["clean"],
            c["groups"],
            recipe["splits"][name].get("operators", "all"),
            recipe["splits"][name].get("intensities", "all"),
            ", ".join(f"{use} {n:,}" for use, n in c["uses"].items()) or "-",
        )
        for name, c in counts.items()
    ]
    header = (
        "split", "rows", "with an accepted chain", "undamaged", "different pictures", "operators",
        "intensities", "use",
    )  # fmt: skip
    text = [table(header, rows)]
    held = recipe.get("held_out", {})
    if names := held.get("operators"):
        text.append(f"Held-out (`unseen`) operators: {', '.join(map(label, names))}.")
    if values := held.get("intensities"):
        text.append(f"Held-out intensities: {', '.join(f'{v:g}' for v in values)}.")
    text.append("No picture, and none nearly the same, is in two splits.")
    if recipe.get("near_duplicates") == "ignore":
        text[-1] = "No picture is in two splits; pictures that are nearly the same may be."
    return "\n\n".join(text)


def degraded(data: Dataset, names: Operators) -> str:
    """Counts per stage, operator, intensity, number of operators and answer."""
    counts = data.info["counts"]["splits"]
    stages = list(dict.fromkeys(stage for _, stage in names))
    columns = [f"`{name}`" for name in counts]

    def per_split(key: str, names: Iterable[str], shown: Any = str) -> list[list[Any]]:
        return [[shown(n), *(c[key].get(n, 0) for c in counts.values())] for n in names]

    tenths = {name: [0] * BINS for name, _ in names}
    for c in counts.values():
        for name, values in c["intensities"].items():
            tenths[name] = [a + b for a, b in zip(tenths[name], values, strict=True)]
    numbers = sorted({n for c in counts.values() for n in c["per_row"]}, key=int)
    answers = sorted({n for c in counts.values() for n in c["answers"]}, key=int)
    text = [
        "Operators are applied in the order of the stages below, each with an intensity from 0 to "
        "1 on a grid of hundredths. What an intensity means physically is in each row's `applied`.",
    ]
    if names:
        text += [
            "How often each stage and operator was applied (a row may have several of a stage):",
            "![Share of rows per operator and split](assets/operators.png)",
            table(["stage", *columns], per_split("stages", stages)),
            table(
                ["operator", "stage", *columns],
                [
                    [label(n), stage, *(c["operators"].get(n, 0) for c in counts.values())]
                    for n, stage in names
                ],
            ),
            "Intensities by split, then in numbers, all splits together: a column counts those "
            "above the one before and up to its own.",
            "![Rows per operator and intensity](assets/intensities.png)",
            table(
                ["operator", *(f"{(i + 1) / BINS:g}" for i in range(BINS))],
                [[label(name), *values] for name, values in tenths.items()],
            ),
        ]
    text += [
        "Operators per row:",
        table(["operators", *columns], per_split("per_row", numbers, int)),
    ]
    if answers:
        text += [
            "Position of the right answer among the choices (0 is the first):",
            table(["position", *columns], per_split("answers", answers, int)),
        ]
    return "\n\n".join(text)


def sample(row: Example, pictures: tuple[str, str] | None) -> str:
    """A row: pictures, question, chain and the rest of its columns."""
    text = []
    if pictures:
        text.append(
            "| clean | degraded |\n| --- | --- |\n"
            f"| ![clean](assets/{pictures[0]}) | ![degraded](assets/{pictures[1]}) |"
        )
    text += ["What is asked:", fenced(row.asked.prompt()), "The chain (`chain`):"]
    text += [fenced(row.chain), "The record, with the other columns (chain parts left out):"]
    values = row.model_dump(mode="json", exclude={"chain", "influence", "reasoning", "conclusion"})
    return "\n\n".join([*text, fenced(packed(values), "json")])


def made(data: Dataset, command: str) -> str:
    """Command, versions, chains and recipe."""
    settings, chains = data.info["settings"], data.info.get("chains", {})
    versions = ", ".join(
        f"{name} {settings[name]}" for name in ("degrade", "torch") if name in settings
    )
    facts = [f"Fingerprint `{data.info['fingerprint']}`", versions]
    facts.append(f"schema {settings['schema']}" if "schema" in settings else "")
    text = [
        fenced(command, "sh"),
        f"The same recipe gives the same bytes. {', '.join(filter(None, facts))}.",
    ]
    if replayed := settings.get("replay"):
        outcomes = data.info["counts"].get("replay", {})
        said = ", ".join(f"{n:,} {outcome.replace('_', ' ')}" for outcome, n in outcomes.items())
        text.append(
            f"The pictures were made again from the recipe of data set `{replayed['of']}`: {said}."
        )
    rows = [
        (f"`{split}`", c.get("reasoning_tokens_mean", "-"), c.get("depth_spearman", "-"))
        for split, c in chains.items()
    ]
    if rows:
        text += [
            "Chains get longer with the damage (Spearman of reasoning length with the sum of the "
            "intensities):",
            table(("split", "mean tokens of reasoning", "Spearman"), rows),
        ]
    recipe = yaml.safe_dump(
        settings["recipe"],
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=WIDTH,
    )
    return "\n\n".join([*text, f"The recipe (`{RECIPE}`):", fenced(recipe.rstrip(), "yaml")])


def columns(pictures: bool) -> str:
    """Every column, explained by the class that declares them."""
    told = {**_PICTURES, **described(Example)}
    names = [*(_PICTURES if pictures else ()), *Example.model_fields]
    rows = [(f"`{name}`", told.get(name, "")) for name in names]
    if not pictures:
        rows.append(("`image_pixels_sha256`, `clean_pixels_sha256`", "Digests of decoded pixels."))
    return table(("column", "what it holds"), rows)


def licenses(data: Dataset, used: Used) -> str:
    """What may be done with the pictures of each source."""
    kinds = {s["name"]: s for s in data.info["settings"]["recipe"]["sources"]}
    says = {True: "yes", False: "**no**", None: "see its terms"}
    rows = [
        (f"`{source}`", _origin(kinds.get(source, {})), name or "**not stated**", n,
         says[derivatives(name)])
        for source, counts in used.items()
        for name, n in counts.items()
    ]  # fmt: skip
    header = ("source", "from", "license of the pictures", "rows", "changed copies allowed")
    return "\n\n".join(
        (
            table(header, rows),
            "Conditions such as attribution, share-alike or noncommercial use go with the pictures "
            "when they are degraded, too.",
        )
    )


def citation() -> str:
    """What to cite."""
    return (
        "The format of the chains, the degradations and the shape of the data set follow "
        "Robust-R1; the pictures, records and chains here are not from its authors. Please cite it:"
        "\n\n" + fenced(_BIBTEX.strip(), "bibtex")
    )


def _origin(source: dict[str, Any]) -> str:
    place = source.get("path", "")
    return f"{source.get('kind', '')} {str(place).rsplit('/', 1)[-1] if place else ''}".strip()


def drawn_share(data: Dataset) -> str:
    """What to say of drawn scenes; empty where there are none."""
    counts, recipe = data.info["counts"], data.info["settings"]["recipe"]
    drawn = [s["name"] for s in recipe["sources"] if s["kind"] == "scenes"]
    sources = Counter[str]()
    for c in counts["splits"].values():
        sources.update(c["sources"])
    if rows := sum(sources[name] for name in drawn):
        share = "All" if rows == sources.total() else f"{rows:,} of"
        return (
            f"{share} {sources.total():,} rows show drawn scenes, not photographs: their light, "
            "texture and clutter are simpler than a camera's, and their questions come from "
            "templates. Check on photographs what you learn from them."
        )
    return ""


def lost_rows(data: Dataset) -> Iterable[str]:
    """What to say of rows in quarantine, where there are any."""
    counts = data.info["counts"]
    if lost := counts.get("quarantined", 0):
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in counts.get("failures", {}).items())
        yield (
            f"Rows of the sources that could not be used: {lost:,} ({reasons}), see `{QUARANTINE}`."
        )


def limits(data: Dataset) -> str:
    """What a user should know before relying on it."""
    counts = data.info["counts"]
    writers = Counter[str]()
    for c in counts["splits"].values():
        writers.update(c["writers"])
    found = [text for text in (drawn_share(data),) if text]
    found.append(
        "Intensities are what the operators were told. They grow with the damage for each "
        "operator, but 0.5 of one does not hide as much as 0.5 of another."
    )
    found.append(
        "The degradations are simulated. Real cameras and networks damage pictures in ways that "
        "no operator here has."
    )
    for writer, n in sorted(writers.items()):
        found.append(
            f"{n:,} chains are written by a grammar (`offline`) from the record, the row's texts "
            "and measurements on the two pictures: checked against all of them, but narrower in "
            "language than people are."
            if writer == "offline"
            else f"{n:,} chains are written by the model `{writer}` and checked against record, "
            "question and themselves; what no check looks for may be wrong."
        )
    found.append(
        "Whoever wrote a chain knew the answer and the clean picture. A chain is no proof that the "
        "degraded picture still shows the answer; `answerable` says so where a judge was asked."
    )
    if failed := counts["rows"] - counts["ok"]:
        found.append(
            f"Rows without an accepted chain: {failed:,}. Their `status` says why; their `chain` "
            "is empty."
        )
    found += lost_rows(data)
    for name, c in counts["splits"].items():
        highest = max(c["answers"].values(), default=0) / max(1, sum(c["answers"].values()))
        if sum(c["answers"].values()) >= 100 and highest > 0.3:
            found.append(
                f"In `{name}` one position holds {highest:.0%} of the answers: shuffle the choices."
            )
    found.append("Questions and chains are in English.")
    return "\n".join(f"- {text}" for text in found)
