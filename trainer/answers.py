"""What a model says about pictures, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from degrade import images
from degrade.schema import tokens
from trainer import metrics
from trainer.data import prompt, question
from trainer.rewards import (
    answer_reward,
    degradation_reward,
    format_reward,
    length_reward,
    same_answer,
    well_formed,
)

REFUSALS = (ValueError, IndexError, StopIteration)
"""What processors raise for pictures of extreme shape and for questions that hold their tokens."""


@dataclass(frozen=True)
class Said:
    """One answer.

    Attributes:
        text: As decoded.
        new_tokens: The model's.
        cut: It ran into the limit.
    """

    text: str
    new_tokens: int
    cut: bool


def generate(
    model: Any,
    processor: Any,
    asked: Sequence[tuple[str, images.Pixels | None]],
    max_new_tokens: int,
    batch: int = 8,
) -> list[Said]:
    """Greedy answers to prompts about pictures.

    Args:
        model: Of transformers, on any device.
        processor: Its own, padding on the left.
        asked: Prompts with their pictures, (H, W, 3) uint8; all with one, or all with None.
        max_new_tokens: Longer answers are cut off.
        batch: Prompts at a time.
    """
    import torch
    from PIL import Image

    ends = model.generation_config.eos_token_id
    ends = set(ends if isinstance(ends, list) else [ends]) | {processor.tokenizer.eos_token_id}
    said: list[Said] = []
    training = model.training
    model.eval()
    for start in range(0, len(asked), batch):
        part = asked[start : start + batch]
        texts = [
            processor.apply_chat_template(
                [{"role": "user", "content": _content(text, pixels is not None)}],
                tokenize=False,
                add_generation_prompt=True,
            )
            for text, pixels in part
        ]
        shown = [[Image.fromarray(pixels)] for _, pixels in part if pixels is not None]
        made = processor(text=texts, images=shown or None, padding=True, return_tensors="pt").to(
            model.device
        )
        for name, value in made.items():
            if value.is_floating_point():
                made[name] = value.to(model.dtype)
        with torch.inference_mode():
            out = model.generate(
                **made, max_new_tokens=max_new_tokens, do_sample=False, use_cache=True
            )
        for ids in out[:, made["input_ids"].shape[1] :].tolist():
            length = next((i + 1 for i, t in enumerate(ids) if t in ends), None)
            text = processor.tokenizer.decode(ids[:length], skip_special_tokens=True)
            said.append(Said(text, length or len(ids), length is None))
    model.train(training)
    return said


def _content(text: str, picture: bool) -> list[dict[str, str]]:
    words = {"type": "text", "text": text}
    return [{"type": "image"}, words] if picture else [words]


def scores(
    said: Sequence[Said], rows: Sequence[Mapping[str, Any]], target: str = "chain"
) -> dict[str, float]:
    """Means over answers: the four rewards, ``cut``, tokens, and depth against damage.

    Args:
        said: Answers.
        rows: Of the data set, one for each.
        target: What was asked for; an ``answer`` alone is judged as it stands.

    Returns:
        ``format``, ``answer``, ``degradation``, ``length`` and ``cut`` in [0, 1]; ``new_tokens``;
        ``depth_spearman``: rank correlation of reasoning tokens with summed intensity over the
        well-formed chains, 0 where they do not vary.
    """
    texts = [s.text for s in said]
    columns: dict[str, Any] = {
        name: [row[name] for row in rows]
        for name in ("answer", "choices", "answer_as", "depth_target")
    }
    columns["degradations"] = [row["types"] for row in rows]
    columns["prompts"] = [prompt(question(row), target) for row in rows]
    found = {
        "format": format_reward(texts),
        "answer": answer_reward(texts, **columns),
        "degradation": degradation_reward(texts, **columns),
        "length": length_reward(texts, **columns),
        "cut": [float(s.cut) for s in said],
        "new_tokens": [float(s.new_tokens) for s in said],
    }
    if target == "answer":
        rights = zip(texts, rows, strict=True)
        found["answer"] = [
            float(same_answer(t, r["answer"], r["choices"] or (), r["answer_as"]))
            for t, r in rights
        ]
    means = {name: sum(values) / len(values) for name, values in found.items()}
    return means | {"depth_spearman": depth(texts, [row["intensity_sum"] for row in rows])}


def depth(texts: Sequence[str], damage: Sequence[float]) -> float:
    """Spearman's rank correlation of reasoning length with damage; 0 where one is constant.

    Args:
        texts: What the model said; those that are no chains are left out.
        damage: Summed intensity of each picture.
    """
    pairs = [
        (len(tokens(chain.reasoning)), known)
        for text, known in zip(texts, damage, strict=True)
        if (chain := well_formed(text))
    ]
    return spearman(pairs)


def spearman(pairs: Sequence[tuple[float, float]]) -> float:
    """:func:`trainer.metrics.spearman` as logs need it: 0 where one of the two is constant."""
    first, second = zip(*pairs, strict=True) if pairs else ((), ())
    return metrics.spearman(first, second).value or 0.0
