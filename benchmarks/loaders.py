"""Exports loaded by what they are for, where that cannot live beside our own dependencies.

    python benchmarks/loaders.py            # a small data set and a small benchmark of its own
    python benchmarks/loaders.py DATA       # one that was built

Makes an environment for LLaMA-Factory, one for lmms-eval and one for VLMEvalKit, which pin older
releases of what we use or want far more than loading needs; they borrow torch from this one. Their
own loaders then read our exports: LLaMA-Factory to the tokens and labels of every row, lmms-eval to
the scores of every task, VLMEvalKit to every cell of its report. VLMEvalKit itself is not on the
package index; ms-vlmeval is its code as ModelScope packs it. What installs beside us (datasets,
webdataset, TRL) reads the data set and the exports made for it whole, local and streamed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from contextlib import nullcontext
from pathlib import Path

from builders.exporting import export
from builders.table import Dataset

PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[1]

NEEDS = {
    "llamafactory": [
        "transformers==5.6.0",
        "datasets==4.0.0",
        "trl==0.24.0",
        "peft==0.18.1",
        "accelerate==1.11.0",
        "omegaconf",
        "einops",
        "pandas",
    ],
    "lmms-eval": ["pytz", "evaluate", "sacrebleu", "loguru", "tenacity"],
    "vlmevalkit": [
        "antlr4-python3-runtime==4.11.1",
        "decord",
        "jieba",
        "json-repair",
        "latex2sympy2-extended",
        "levenshtein",
        "math-verify",
        "nltk",
        "num2words",
        "openpyxl",
        "portalocker",
        "pylatexenc",
        "python-dotenv",
        "qwen-vl-utils",
        "rouge",
        "scikit-learn",
        "sty",
        "tabulate",
        "termcolor",
        "timeout-decorator",
        "validators",
        "xlsxwriter",
    ],
}
UNBOUND = {"vlmevalkit": ["torchvision==0.28.*"]}
"""What is installed without the torch that it asks for."""

ITSELF = {
    "llamafactory": "llamafactory==0.9.5",
    "lmms-eval": "lmms-eval==0.7.3",
    "vlmevalkit": "ms-vlmeval==0.0.20",
}
HERE = ("dataset", "imagefolder", "trl-sft", "trl-grpo", "webdataset")
"""What is read in this environment: the data set itself, and exports."""

EVALUATORS = ("lmms-eval", "vlmevalkit")


def environment(folder: Path, name: str) -> Path:
    """The Python of an environment in which a loader can be imported, made if need be."""
    home = folder / name
    python = home / "bin" / "python"
    if not (home / "done").exists():
        venv.create(home, clear=True, with_pip=True)
        own = next(home.glob("lib/*/site-packages"))
        (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip = [python, "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *NEEDS[name]], check=True)
        alone = [*UNBOUND.get(name, []), ITSELF[name]]
        subprocess.run([*pip, "--no-deps", *alone], check=True)
        (home / "done").touch()
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path)
    kept = Path(tempfile.gettempdir()) / "degrade-loaders"
    parser.add_argument("--only", nargs="*", choices=[*HERE, *NEEDS], help="Of the loaders.")
    parser.add_argument("--environments", type=Path, default=kept, help="Kept between runs.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        built = [args.data] if args.data else _small(folder)
        for name in args.only or [*HERE, *NEEDS]:
            for data in map(Dataset, built):
                if not data.benchmark or name in EVALUATORS:
                    _load(name, data, folder, args.environments)


def _small(folder: Path) -> list[Path]:
    """A data set and a benchmark."""
    sys.path.insert(0, str(ROOT))
    from builders.benchmark import BenchmarkBuild, load
    from tests.dataset_help import small_dataset

    data = small_dataset(folder / "data")
    recipe, base = load("scenes")
    made = BenchmarkBuild(recipe.limited(40), base, folder / "benchmark", lambda out: None)
    made.run(lambda what: nullcontext(lambda done, total: None))
    return [data, folder / "benchmark"]


def _load(name: str, data: Dataset, folder: Path, environments: Path) -> None:
    """Export in a format and have its own loader read that."""
    out = data.folder
    rows = data.info["counts"]["rows"]
    if name != "dataset":
        out = folder / f"{data.folder.name}-{name}"
        rows = export(data, name, out)["rows"]
    print(f"\n{ITSELF.get(name, name)}, {data.name}, {rows} rows", flush=True)
    if name in HERE:
        command = [sys.executable, str(PEERS / "loads_here.py"), name, str(out)]
    else:
        script = PEERS / f"loads_{name.replace('-', '_')}.py"
        command = [str(environment(environments, name)), str(script), str(out)]
    settings = {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "cache"),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "TQDM_DISABLE": "1",
    }
    done = subprocess.run(command, env=os.environ | settings, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode(errors="replace"))


if __name__ == "__main__":
    main()
