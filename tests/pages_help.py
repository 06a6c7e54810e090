"""The pages of the documentation as the tests see them, and what each assumes is there."""

from __future__ import annotations

import base64
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from PIL import Image

from annotate import offline
from annotate.rows import Rows
from annotate.testing.faults import prompt_of
from builders import recipe as builders
from degrade import recipe
from degrade.schema import Applied, Chain, Question, Row
from degrade.studio import texts
from degrade.studio.chain import Chain as StudioChain
from tests.conftest import PHOTOS
from tests.dataset_help import small_dataset
from tests.evaluation_help import LEVELS, benchmark, write_answers
from tests.test_evaluation_judge import r_bench
from trainer import config, tiny

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
SIDE = 120
"""Longer side of the photographs that pages work on, in pixels."""


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        language: First word after the fence; empty where there is none.
        title: File that the block is to be saved as; empty where none.
        text: Its lines.
        line: Its first line in the page, from 1.
    """

    language: str
    title: str
    text: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """All blocks of code of a page: fenced ones, and indented ones as of no language."""
    for token in MarkdownIt().enable("table").parse(text):
        if token.type in ("fence", "code_block"):
            language, _, rest = token.info.strip().partition(" ")
            title = re.search(r'title="([^"]+)"', rest)
            assert token.map
            yield Block(language, title[1] if title else "", token.content, token.map[0] + 1)


# ---------------------------------------------------------------------- what pages assume


def photographs(folder: Path) -> None:
    """The example photographs, reduced, as ``photos``, ``examples/photos`` and ``photo.jpg``."""
    for name in ("photos", "examples/photos"):
        (folder / name).mkdir(parents=True)
        for path in sorted(PHOTOS.glob("*.jpg")):
            with Image.open(path) as image:
                image.thumbnail((SIDE, SIDE))
                image.save(folder / name / path.name, quality=92)
        (folder / name / "questions.jsonl").write_bytes((PHOTOS / "questions.jsonl").read_bytes())
    (folder / "photo.jpg").write_bytes((folder / "photos" / "cat.jpg").read_bytes())


def data(folder: Path) -> None:
    """A data set, as ``data``."""
    small_dataset(folder / "data", rows=8)


def bench(folder: Path) -> None:
    """A benchmark of two questions at four levels, as ``bench``."""
    benchmark(folder / "bench", items=2)


def rbench(folder: Path) -> None:
    """A question of each task at each strength, as ``r-bench``."""
    r_bench(folder / "r-bench")


def model(folder: Path) -> None:
    """A model of random weights, as ``model``."""
    tiny.build(folder / "model", [(ROOT / "docs" / "evaluation.md").read_text("utf-8")])


def answers(folder: Path) -> None:
    """Answers made elsewhere, as ``answers.jsonl``."""
    ids = [f"scenes/{n:03d}@{level:.2f}" for n in range(2) for level in LEVELS]
    write_answers(folder / "answers.jsonl", [{"id": name, "answer": "A"} for name in ids])


def tsv(folder: Path) -> None:
    """Two questions in VLMEvalKit's form, as ``MMStar.tsv``."""
    image = base64.b64encode((folder / "photo.jpg").read_bytes()).decode()
    lines = ["index\timage\tquestion\tA\tB\tanswer\tcategory"]
    lines += [f"{i}\t{image}\tWhat is it, {i}?\ta cat\ta dog\tA\tanimals" for i in range(2)]
    (folder / "MMStar.tsv").write_text("\n".join(lines) + "\n", "utf-8")


def taken_away(folder: Path) -> None:
    """A recipe as the studio gives it for a picture made by eye, as ``recipe.yaml``."""
    with Image.open(folder / "photo.jpg") as image:
        made = StudioChain(min(image.size)).add("motion_blur", 0.4).add("fog", 0.3)
    (folder / "recipe.yaml").write_text(texts.recipe(made), "utf-8")


ASSUMED: dict[str, tuple[Callable[[Path], None], ...]] = {
    "evaluation.md": (data, bench, rbench, model, answers),
    "published.md": (tsv,),
    "studio.md": (taken_away,),
}
"""Page -> what stands in its folder before its first block, besides the photographs."""


class Obedient:
    """A model at an endpoint that does as asked: chains as the offline writer would, else "A".

    Args:
        run: Folder of the run that chains are asked for, looked into at the first such request.
        questions: Its questions.
    """

    def __init__(self, run: Path, questions: Path) -> None:
        self.run, self.questions = run, questions
        self.chains: dict[str, Chain] = {}

    def __call__(self, body: dict[str, Any]) -> str:
        asked = body.get("response_format", {}).get("json_schema", {}).get("name", "")
        if not asked:
            return "1" if "nothing but the number" in prompt_of(body) else "A"
        if not self.chains:
            for item in Rows(self.run, self.questions, None):
                question = item.question
                self.chains[question.question] = offline.write(item.row, question, None, 3)
        text = json.dumps(body["messages"], ensure_ascii=False)
        (chain,) = [chain for question, chain in self.chains.items() if question in text]
        part = "reasoning" if asked == "depth" else asked
        return json.dumps({"text": getattr(chain, part)})


def checked(block: Block) -> None:
    """Read a block of data with what reads such data.

    Raises:
        Exception: It is not what its keys say.
    """
    if block.language == "yaml":
        _yaml(yaml.safe_load(block.text), block.text)
        return
    rows = block.text.splitlines() if block.language == "jsonl" else [block.text]
    for row in rows:
        held = json.loads(row)
        if "applied" in held:
            Row.model_validate_json(row)
        elif "operator" in held:
            Applied.model_validate_json(row)
        else:
            named = {"id", "source_path"}
            assert named & set(held), row
            rest = {key: value for key, value in held.items() if key not in named}
            Question.model_validate_json(json.dumps(rest))


def _yaml(held: dict[str, Any], text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "it.yaml"
        path.write_text(text, "utf-8")
        if {"stages", "steps", "types"} & set(held):
            assert recipe.load(str(path)).draw("a.jpg", 0, 300)
        elif "splits" in held:
            builders.load(str(path))
        elif "model" in held:
            config.load(str(path))
        else:
            raise AssertionError(f"nothing here reads {text!r}")


CELLS = {"level", "operator", "stage", "type", "rule", "level_operator", "level_stage"}
"""What names its parts by the data."""


def figures(tree: Any, path: tuple[str, ...] = (), given: int = 0) -> set[str]:
    """Names of all figures in the scores, without levels, operators, types and rules."""
    if not isinstance(tree, dict):
        return set()
    if "value" in tree:
        return {path[-1]}
    found: set[str] = set()
    for key, part in tree.items():
        deeper = {"level_operator": 2, "level_stage": 2}.get(key, 1) if key in CELLS else 0
        named = path if given or key in CELLS else (*path, key)
        found |= figures(part, named, deeper if not given else given - 1)
    return found
