"""Exports loaded by what they are for, where that cannot live beside our own dependencies.

    python benchmarks/loaders.py            # a small data set of its own
    python benchmarks/loaders.py DATA       # one that was built

Makes an environment for LLaMA-Factory and one for lmms-eval, which pin older releases of what we
use or want far more than loading needs; both borrow torch from this one. Their own loaders then
read our exports: LLaMA-Factory to the tokens and labels of every row, lmms-eval to the scores of
every task. What installs beside us (datasets, webdataset, TRL, pandas) is loaded in the tests.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
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
}
ITSELF = {"llamafactory": "llamafactory==0.9.5", "lmms-eval": "lmms-eval==0.7.3"}


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
        subprocess.run([*pip, "--no-deps", ITSELF[name]], check=True)
        (home / "done").touch()
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path)
    kept = Path(tempfile.gettempdir()) / "degrade-loaders"
    parser.add_argument("--environments", type=Path, default=kept, help="Kept between runs.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        data = args.data
        if data is None:
            sys.path.insert(0, str(ROOT))
            from tests.dataset_help import small_dataset

            data = small_dataset(folder / "data")
        for name in NEEDS:
            out = folder / name
            rows = export(Dataset(data), name, out)["rows"]
            print(f"\n{ITSELF[name]}, {rows} rows", flush=True)
            python = environment(args.environments, name)
            script = PEERS / f"loads_{name.replace('-', '_')}.py"
            settings = {
                "HF_HUB_OFFLINE": "1",
                "HF_HOME": str(folder / "cache"),
                "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
                "TQDM_DISABLE": "1",
            }
            command = [str(python), str(script), str(out)]
            done = subprocess.run(
                command, env=os.environ | settings, stderr=subprocess.PIPE, check=False
            )
            if done.returncode:
                sys.exit(done.stderr.decode(errors="replace"))


if __name__ == "__main__":
    main()
