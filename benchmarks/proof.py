"""Does training on degradations help, and does naming them first? Offline, with a tiny model.

    python benchmarks/proof.py OUT                      # everything: three seeds, all arms
    python benchmarks/proof.py OUT --scale 0.02 --seeds 1     # a slice, to see it run
    python benchmarks/proof.py OUT --table              # the table of what is there
    python benchmarks/proof.py PLACES --task place      # answers that follow from two things seen

The same command goes on with what is unfinished. Every arm of a seed starts from one model that was
trained on clean pictures, asked for answers and then for chains too, and gets equally many
further steps on the same scenes (see proof_scenes.py). SFT is TRL's SFTTrainer, RL its GRPOTrainer,
rewards are those of the package. Tests are new scenes, the same for all arms: clean, and with
operators that training saw or did not see, at 25, 50 and 100 %.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import proof_scenes as world
from benchmarks.proof_scenes import Item
from benchmarks.proof_table import table
from degrade.errors import UserError
from degrade.runs import pretty, read_json, write_atomic
from degrade.schema import tokens
from trainer import answers, hf, models, rl, tiny
from trainer.config import Rl
from trainer.rewards import REWARDS, agreement, well_formed

SIZE = tiny.Size(patch=8, vocabulary=600, spread=0.08, min_pixels=64 * 64, max_pixels=64 * 64)
ANSWER_STEPS, BOTH_STEPS, STEPS, RL_STEPS = 2400, 600, 900, 150
BATCH, GROUP, PROMPTS = 32, 8, 8
ROWS, TESTS = 8000, 400
SEEING_RATE, BASE_RATE, RATE, RL_RATE = 3e-3, 2e-3, 1e-3, 1e-4
MAX_NEW = 80


@dataclass(frozen=True)
class Arm:
    """What is done after the base.

    Attributes:
        damaged: Trained on degraded pictures (a share of them clean), else on clean ones.
        chain: Learns chains, else answers alone.
        rewards: RL with these in place of the last steps; none: SFT to the end.
        short: SFT without those last steps: what RL begins with, to see what it does.
    """

    damaged: bool
    chain: bool
    rewards: tuple[str, ...] = ()
    short: bool = False


ALL = ("format", "answer", "degradation", "length")
BEFORE_RL = "chains before RL"
ARMS = {
    "clean, answer only": Arm(False, False),
    "degraded, answer only": Arm(True, False),
    "degraded, chains (SFT)": Arm(True, True),
    BEFORE_RL: Arm(True, True, short=True),
    "degraded, chains (SFT + RL)": Arm(True, True, ALL),
    "RL without r_deg": Arm(True, True, tuple(n for n in ALL if n != "degradation")),
    "RL without r_len": Arm(True, True, tuple(n for n in ALL if n != "length")),
}
REFERENCES = ("clean, answer only", "degraded, answer only", "degraded, chains (SFT + RL)")
"""Arms with which the others are compared."""


@dataclass(frozen=True)
class Plan:
    """Sizes of everything, scaled.

    Attributes:
        answers, both: Steps of the base: asked for answers alone, then for chains in turns.
        steps: After the base; ``rl`` of them are RL where there is RL.
        rows: To train on.
        tests: Scenes in every cell.
    """

    answers: int
    both: int
    steps: int
    rl: int
    rows: int
    tests: int

    @classmethod
    def scaled(cls, scale: float) -> Plan:
        """The whole experiment times a factor; at least a few of each."""
        sizes = (ANSWER_STEPS, BOTH_STEPS, STEPS, RL_STEPS, ROWS, TESTS)
        least = (4, 4, 4, 2, 64, 16)
        return cls(*(max(low, round(n * scale)) for n, low in zip(sizes, least, strict=True)))


# ------------------------------------------------------------------------------------ training


def prompt(item: Item, chain: bool) -> str:
    return f"{item.question.prompt()}\n{world.SHORT}" if chain else item.question.prompt()


def rows(items: Sequence[Item], chain: bool | None, kind: str) -> Any:
    """The items as a data set of TRL; pictures are handed over when they are asked for.

    Args:
        items: To train on.
        chain: Ask for chains, or answers alone; None: for one or the other in turns.
        kind: ``sft`` or ``rl``.
    """
    from PIL import Image

    def convert(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        chosen = [items[i] for i in batch["i"]]
        forms = [i % 2 == 0 if chain is None else chain for i in batch["i"]]
        asked = [prompt(c, form) for c, form in zip(chosen, forms, strict=True)]
        made: dict[str, list[Any]] = {
            "prompt": [[{"role": "user", "content": text}] for text in asked],
            "image": [Image.fromarray(c.picture) for c in chosen],
        }
        if kind == "sft":
            said = [
                c.chain.render() if form else c.question.answer
                for c, form in zip(chosen, forms, strict=True)
            ]
            made["completion"] = [[{"role": "assistant", "content": s}] for s in said]
            return made
        return made | {
            "answer": [c.question.answer for c in chosen],
            "choices": [list(c.question.choices) for c in chosen],
            "answer_as": ["text"] * len(chosen),
            "degradations": [[t.model_dump() for t in c.chain.types] for c in chosen],
            "depth_target": [len(tokens(c.chain.reasoning)) for c in chosen],
            "intensity_sum": [c.damage for c in chosen],
        }

    table = hf.module("datasets").Dataset.from_dict({"i": list(range(len(items)))})
    return table.with_transform(convert)


def arguments(folder: Path, seed: int, steps: int, batch: int, rate: float) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "seed": seed,
        "max_steps": steps,
        "per_device_train_batch_size": batch,
        "learning_rate": rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.03,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "logging_steps": max(1, steps // 10),
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": False,
    }


def load(folder: Path) -> Any:
    return hf.module("transformers").AutoModelForImageTextToText.from_pretrained(
        str(folder), dtype="float32"
    )


def sft(start: Path, folder: Path, table: Any, seed: int, steps: int, rate: float) -> None:
    trl, processor = hf.module("trl"), models.load_processor(str(start))
    given = arguments(folder, seed, steps, BATCH, rate)
    args = trl.SFTConfig(**given, max_length=None, completion_only_loss=True)
    trainer = trl.SFTTrainer(
        model=load(start), processing_class=processor, train_dataset=table, args=args
    )
    _run(trainer, folder)


def grpo(
    start: Path, folder: Path, table: Any, seed: int, steps: int, rewards: tuple[str, ...]
) -> None:
    trl, processor = hf.module("trl"), models.load_processor(str(start))
    args = trl.GRPOConfig(
        **arguments(folder, seed, steps, GROUP * PROMPTS, RL_RATE),
        num_generations=GROUP,
        beta=0.04,
        temperature=1.0,
        max_completion_length=MAX_NEW,
    )
    trainer = rl.trainer_class(Rl())(
        model=load(start),
        processing_class=processor,
        train_dataset=table,
        reward_funcs=[REWARDS[name] for name in rewards],
        args=args,
    )
    _run(trainer, folder)


def _run(trainer: Any, folder: Path) -> None:
    for callback in ("PrinterCallback", "ProgressCallback"):
        trainer.remove_callback(getattr(hf.module("transformers"), callback))
    trainer.train()
    trainer.save_model(str(folder))
    write_atomic(folder / "log.json", pretty(trainer.state.log_history))


def once(folder: Path, work: Any) -> Path:
    """Do the work for a folder unless it is done."""
    if not (folder / "log.json").exists():
        started = time.time()
        work(folder)
        print(f"  {folder.name}: {time.time() - started:.0f} s", flush=True)
    return folder


# ------------------------------------------------------------------------------------- testing


def tested(folder: Path, chain: bool, cells: dict[str, list[Item]]) -> dict[str, Any]:
    """What a model does in every cell, item by item."""
    processor, model = models.load_processor(str(folder)), load(folder)
    found = {}
    for name, items in cells.items():
        asked = [(prompt(item, chain), item.picture) for item in items]
        started = time.perf_counter()
        said = answers.generate(model, processor, asked, MAX_NEW, batch=100)
        seconds = time.perf_counter() - started
        chains = [well_formed(s.text) if chain else None for s in said]
        given = [
            c.answer if c else ("" if chain else s.text) for c, s in zip(chains, said, strict=True)
        ]
        truth = [item.question.answer for item in items]
        types = [_types(c, item) for c, item in zip(chains, items, strict=True)] if chain else []
        gaps = [t["gap"] for t in types if t["gap"] is not None]
        lengths = [len(tokens(c.reasoning)) if c else 0 for c in chains]
        hits, claimed, known = (sum(t[k] for t in types) for k in ("hits", "said", "known"))
        found[name] = {
            "right": [int(g.strip() == t) for g, t in zip(given, truth, strict=True)],
            "form": float(np.mean([c is not None for c in chains])) if chain else None,
            "type_f1": 2 * hits / (claimed + known)
            if claimed + known
            else (1.0 if chain else None),
            "mae": float(np.mean(gaps)) if gaps else None,
            "r_deg": float(np.mean([t["agreement"] for t in types])) if chain else None,
            "reasoning": lengths if chain else None,
            "damage": [item.damage for item in items],
            "tokens": float(np.mean([s.new_tokens for s in said])),
            "seconds": seconds / len(items),
        }
    return found


def _types(chain: Any, item: Item) -> dict[str, Any]:
    said = {t.label: t.intensity for t in chain.types} if chain else {}
    known = {a.label: a.intensity for a in item.applied}
    shared = said.keys() & known.keys()
    gap = float(np.mean([abs(said[k] - known[k]) for k in shared])) if shared else None
    value = agreement(said.items(), known.items()) if chain else 0.0
    counts = {"hits": len(shared), "said": len(said), "known": len(known)}
    return {**counts, "gap": gap, "agreement": value}


# ----------------------------------------------------------------------------------- the whole


def experiment(out: Path, plan: Plan, seed: int, names: Sequence[str], worlds: Any) -> None:
    """All arms of one seed that are not done yet."""
    clean, damaged, cells = worlds
    folder = out / f"seed-{seed}"
    start = once(folder / "start", lambda f: _start(f, seed, clean, damaged))
    # What a picture shows is learnt from answers alone: among the many sure words of a chain the
    # few that depend on the picture are lost. Then both forms, so that no arm has to learn one.
    seeing = once(
        folder / "seeing",
        lambda f: sft(start, f, rows(clean, False, "sft"), seed, plan.answers, SEEING_RATE),
    )
    base = once(
        folder / "base",
        lambda f: sft(seeing, f, rows(clean, None, "sft"), seed, plan.both, BASE_RATE),
    )
    for name in names:
        result = folder / f"{name}.json"
        if result.exists():
            continue
        arm, items = ARMS[name], damaged if ARMS[name].damaged else clean
        steps = plan.steps - plan.rl if arm.rewards or arm.short else plan.steps
        taught = once(
            folder / (BEFORE_RL if arm.rewards else name),
            lambda f, a=arm, i=items, n=steps: sft(base, f, rows(i, a.chain, "sft"), seed, n, RATE),
        )
        if arm.rewards:
            taught = once(
                folder / name,
                lambda f, a=arm, i=items, t=taught: grpo(
                    t, f, rows(i, True, "rl"), seed, plan.rl, a.rewards
                ),
            )
        write_atomic(result, pretty(tested(taught, arm.chain, cells)))


def _start(folder: Path, seed: int, clean: Sequence[Item], damaged: Sequence[Item]) -> None:
    texts = [prompt(i, True) + "\n" + i.chain.render() for i in [*clean[:1000], *damaged[:1000]]]
    # Digits as in any text, so that unseen intensities can be written.
    texts += [f"({n / 100:.2f})" for n in range(101)]
    tiny.build(folder, texts, seed, SIZE)
    write_atomic(folder / "log.json", pretty([]))


# ------------------------------------------------------------------------------------ command


def _same_plan(out: Path, plan: Plan, task: str = "facts") -> None:
    """Hold a folder to one plan: the same command goes on, another would mix up its results."""
    path, known = out / "plan.json", asdict(plan) | ({} if task == "facts" else {"task": task})
    if path.exists() and read_json(path) != known:
        raise UserError(f"{out} was made with {read_json(path)}, not {known}: give another folder.")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(path, pretty(known))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of steps, rows and tests")
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="only these")
    parser.add_argument("--seed", type=int, help="only this one, to run seeds beside each other")
    parser.add_argument("--task", choices=world.TASKS, default="facts", help="what is asked")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    given = parser.parse_args()
    if not given.table:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        torch.set_num_threads(1)
        hf.quiet()
        plan = Plan.scaled(given.scale)
        _same_plan(given.out, plan, given.task)
        worlds = (
            world.training(plan.rows, damaged=False, task=given.task),
            world.training(plan.rows, damaged=True, task=given.task),
            world.cells(plan.tests, given.task),
        )
        for seed in range(given.seeds) if given.seed is None else [given.seed]:
            print(f"seed {seed}", flush=True)
            experiment(given.out, plan, seed, given.arm or list(ARMS), worlds)
    print(table(given.out, ARMS, REFERENCES))


if __name__ == "__main__":
    main()
