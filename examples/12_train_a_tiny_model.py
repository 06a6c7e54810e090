"""Train a made-up model of 0.4 million weights on a CPU: supervised on chains, then with rewards.

It learns the form of a chain, not what the pictures show. Other configurations train real models
with the same calls: `degrade-cli train configs`.
"""

from contextlib import nullcontext
from pathlib import Path

from annotate.cli import Chains
from builders import recipe as recipes
from builders.card import write_card
from builders.dataset import Build
from trainer import config, rl, sft

DATA, OUT = Path("data"), Path("trained")

if __name__ == "__main__":
    chosen, base = recipes.load("demo")
    build = Build(
        chosen.scaled(0.2), base, DATA, Chains(), lambda folder: write_card(folder, "this example")
    )
    build.run(lambda what: nullcontext(lambda done, total: None))

    # The same as: degrade-cli train sft tiny trained --data data --set sft.steps=20 ...
    short = {"sft.steps": 20, "rl.steps": 1, "rl.max_new_tokens": 24}
    tiny = config.load("tiny", {"data.path": str(DATA), **short})
    first = sft.stage(tiny, OUT, note=print).run()
    print(f"SFT: {first['steps']} steps, loss {first['last']['loss']:.2f}")

    second = rl.stage(tiny, OUT, note=print).run()
    print(f"RL: {second['steps']} step, reward {second['last']['reward']:.2f}")
    assert (OUT / "rl" / "model").is_dir()
