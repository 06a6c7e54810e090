"""What the tasks of an lmms-eval export call: its ``utils.py``, which needs nothing of ours."""

from __future__ import annotations

import re
from typing import Any

TAGS = ("", "")
"""What encloses the answer in a chain; filled in when this is copied."""


def doc_to_visual(doc: dict[str, Any]) -> list[Any]:
    """The degraded picture."""
    return [doc["image"].convert("RGB")]


def doc_to_text(
    doc: dict[str, Any], lmms_eval_specific_kwargs: dict[str, str] | None = None
) -> str:
    """The question with its choices, and how to answer one of its kind."""
    given = lmms_eval_specific_kwargs or {}
    texts = (given.get("pre_prompt"), doc["prompt"], given.get(doc["answer_as"]))
    return "".join(text or "" for text in (*texts, given.get("post_prompt")))


def answer_of(reply: str) -> str:
    """What a reply puts forward: inside the last answer tags if there are any, else all of it."""
    opening, closing = TAGS
    if opening and opening in reply:
        reply = reply.rsplit(opening, 1)[1].split(closing, 1)[0]
    return reply.strip().strip("\"'`*").strip()


def choice_of(answer: str, choices: list[str], answer_as: str) -> int | None:
    """The 0-based option that an answer names, or None.

    Its label first, a letter or a number as the prompt lists them, then its text.
    """
    plain = answer.casefold().rstrip(".")
    texts = [choice.casefold().rstrip(".") for choice in choices]
    if answer_as == "text" and plain in texts:
        return texts.index(plain)
    label = re.match(r"(?:the answer is|answer:|option)?\s*\(?([a-z]|\d+)(?:[).:]|$)", plain)
    label = label or re.match(r"the answer is\s+\(?([a-z]|\d+)\b", plain)
    if label:
        number = int(label[1]) if label[1].isdigit() else ord(label[1]) - ord("a")
        if label[1].isdigit() == (answer_as == "index") and number < len(choices):
            return number
    return texts.index(plain) if plain in texts else None


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Whether the reply is right, over all rows and over those of one kind of damage or level."""
    answer = answer_of(results[0])
    known = {doc["answer_text"].casefold(), *(r.casefold() for r in doc.get("references") or ())}
    right = " ".join(answer.casefold().rstrip(".").split()) in known
    if doc["choices"]:
        named = choice_of(answer, doc["choices"], doc["answer_as"])
        right = named is not None and doc["choices"][named] == doc["answer_text"]
    level = doc.get("level")  # of a benchmark, whose pictures may come degraded
    damaged = bool(doc["stages"] if level is None else level)
    kinds = ["degraded", *sorted(set(doc["stages"]))] if damaged else ["clean"]
    kinds += [doc["split"]] if level else []
    return {"acc": float(right), **{f"acc_{kind}": float(right) for kind in kinds}}
