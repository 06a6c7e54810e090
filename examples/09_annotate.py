"""Write chains about degraded pictures: offline by a grammar, no network and no key."""

import json
from pathlib import Path

from annotate.job import annotate_run
from annotate.options import AnnotateOptions
from degrade import recipe
from degrade.executor import Options, Synth
from degrade.schema import Chain

PHOTOS = Path(__file__).parent / "photos"
RUN, CHAINS = Path("run"), Path("run-chains")

if __name__ == "__main__":
    Synth(PHOTOS, RUN, recipe.load("robust-r1"), seed=2, options=Options(max_side=320)).run()

    # The same as: degrade-cli annotate run --questions photos/questions.jsonl
    # A model writes instead with AnnotateOptions(writer="llm", model="...", base_url="...").
    questions = PHOTOS / "questions.jsonl"
    summary = annotate_run(RUN, CHAINS, AnnotateOptions(), questions=questions)
    assert summary is not None
    print(f"{summary['counts']['ok']} of {summary['counts']['rows']} chains are accepted.")

    for line in (CHAINS / "chains.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        chain = Chain.parse(row["text"])
        assert isinstance(chain, Chain)
        seen = ", ".join(f"{t.label} {t.intensity:.2f}" for t in chain.types)
        print(f"\n{row['id']}: {seen or 'nothing'}\n{chain.reasoning}\n-> {chain.answer}")
