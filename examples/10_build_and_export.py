"""Build a data set of your photographs and drawn scenes, validate it, export it for a trainer."""

from contextlib import nullcontext
from pathlib import Path

from annotate.cli import Chains
from builders import exporting
from builders import recipe as recipes
from builders.card import write_card
from builders.dataset import Build
from builders.sources.spelled import spelled
from builders.table import Dataset
from builders.validate import validate

PHOTOS = Path(__file__).parent / "photos"
DATA, EXPORT = Path("data"), Path("data-llamafactory")


def tell(what: str):
    print(what)
    return nullcontext(lambda done, total: None)


if __name__ == "__main__":
    # The same as: degrade-cli build dataset demo data --source folder:photos,... --scale 0.2
    mine = spelled(f"folder:{PHOTOS},license=CC0-1.0,questions={PHOTOS / 'questions.jsonl'}")
    chosen, base = recipes.load("demo", {"sources": [mine]})
    build = Build(
        chosen.scaled(0.2), base, DATA, Chains(), lambda folder: write_card(folder, "this example")
    )
    info = build.run(tell).info
    assert info is not None
    for split, counts in info["counts"]["splits"].items():
        print(f"{split}: {counts['rows']} rows, {counts['ok']} accepted chains")

    report = validate(DATA, sample=8)
    assert report.ok, report.as_json()["problems"]

    done = exporting.export(Dataset(DATA), "llamafactory", EXPORT)
    print(f"{done['rows']} rows in {EXPORT}; `datasets.load_dataset('data')` loads {DATA}.")
    assert validate(EXPORT).ok
