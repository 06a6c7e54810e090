"""What of the documentation is run smaller than it says, or elsewhere, or not at all, and why."""

from __future__ import annotations

from typing import NamedTuple


class Smaller(NamedTuple):
    """A command that is run with less to do: these words are put at its end.

    Of an option that is there twice the last value counts. ``page``: only there; empty: anywhere.
    """

    command: str
    more: str
    reason: str
    page: str = ""


SMALLER = [
    Smaller(r"build dataset robust-r1-11k", "--scale 0.001", "12,000 rows take 15 minutes"),
    Smaller(r"gallery gallery", "--op fog --side 64", "62 operators take half a minute"),
    Smaller(
        r"^degrade-cli preview .* sheet.png$",
        "--op fog --op rain --cell 64",
        "62 operators take as long",
    ),
    Smaller(r"demo demo", "--rows 12", "220 rows take 18 seconds"),
    Smaller(r"train sft", "--set sft.steps=2", "60 steps take a minute"),
    Smaller(r"train rl", "--set rl.steps=1 --set rl.max_new_tokens=8", "4 steps take longer"),
    Smaller(r"^degrade-cli ask .*--model run", "--max-tokens 8", "untrained, it talks to the end"),
]
"""Regular expression over the command, what is added, and why."""

APART = {
    r"^degrade-cli push": "huggingface_hub reads HF_ENDPOINT when it is imported",
}
"""Commands that run in a process of their own: regular expression -> why."""

EXITS = {
    r"^degrade-cli ask .*--model run": (3, "two steps do not teach a model to write chains"),
    r"^degrade-cli ask .*--endpoint": (3, "the endpoint's model answers with a letter"),
}
"""Commands that end with another code than 0: regular expression -> code and why."""

_INDEX = "installs from the package index, which the tests do not reach; .ci/run does it"
_GROWN = "half an hour of training; `python benchmarks/end_to_end.py OUT` gives these commands"

NOT_RUN = {
    r"^python3 -m venv": _INDEX,
    r"^(\S*/)?pip install": _INDEX,
    r"^source ": "changes a shell, and there is none; what it activates is installed by .ci/run",
    r"^make (check|golden)": "runs the whole suite, of which this is a part, or rewrites its files",
    r"^make models": _INDEX,
    r" s3://": "asks an object store; tests/test_storage*.py run such against one of their own",
    r"--engine ray|^ray start": "starts a cluster; tests/test_ray.py does",
    r"^degrade-cli studio": "serves a page until it is stopped; its tests open that in a browser",
    r"^python -m pytest": "runs a part of the suite",
    r"^python examples/": "tests/test_examples.py runs them all",
    r"^python benchmarks/": "measures for minutes to hours, on a machine with nothing else to do",
    r"^python -m annotate.testing.localmodel": "needs the weights that `make models` installs; "
    "tests/test_annotate_model.py runs it",
    r"--model smollm2": "takes half an hour; tests/test_annotate_model.py runs it on fewer rows",
    r"^accelerate launch": "needs eight GPUs",
    r"build dataset data.yaml|build benchmark bench.yaml|--prompt bare": _GROWN,
    r"^degrade-cli report eval-clean": _GROWN,
    r"train sft tiny (start|clean|chains)": _GROWN,
    r"robust-r1-11k full|validate full": "12,000 rows; the commands above are the same",
}
"""Commands that are parsed and not run: regular expression -> why."""
