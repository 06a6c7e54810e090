"""Evaluate a model at any OpenAI-compatible endpoint on a small benchmark of drawn scenes.

Needs OPENAI_API_KEY, and OPENAI_BASE_URL where it is not OpenAI's; EVALUATED names the model. 32
short questions with a picture each are asked; a second run asks none of them again.
"""

import os
from contextlib import nullcontext
from pathlib import Path

from builders.benchmark import BenchmarkBuild, load
from builders.card import write_card
from trainer.evaluation.config import EvaluateOptions
from trainer.evaluation.report import page
from trainer.evaluation.report.read import benchmark_of, read
from trainer.evaluation.runner import Evaluation

BENCH, OUT = Path("bench"), Path("eval")
MODEL = os.environ.get("EVALUATED", "gpt-4o-mini")

if __name__ == "__main__":
    # The same as: degrade-cli build benchmark scenes bench --limit 8
    recipe, base = load("scenes", {})
    build = BenchmarkBuild(
        recipe.limited(8), base, BENCH, lambda folder: write_card(folder, "this example")
    )
    build.run(lambda what: nullcontext(lambda done, total: None))

    # The same as: degrade-cli evaluate bench eval --model ... --endpoint
    options = EvaluateOptions(model=MODEL, remote=True, max_tokens=64, resamples=200)
    summary = Evaluation(BENCH, OUT, options, tell=print).run()
    assert summary is not None
    for level, found in summary["scores"]["controls"]["none"]["accuracy"]["level"].items():
        low, high = found["low"], found["high"]
        print(f"level {level}: {found['value']:.2f} ({low:.2f} to {high:.2f}), n {found['n']}")

    models = read([OUT])
    shown = page.content(models, benchmark_of(models, None), (), failures=4)
    Path("eval.html").write_text(page.render(shown, page.HTML), "utf-8")
