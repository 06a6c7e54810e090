"""Prompts: files under ``templates/``, filled in and hashed.

What comes from a row is quoted as JSON, so that no quote, tag or instruction in it can leave its
place; what comes from a model goes through the checks before it is believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

from degrade.schema import Finding, Question, Row

_TEMPLATES = resources.files("annotate") / "templates"
STAGES = ("influence", "reasoning", "conclusion", "depth", "judge", "combined")


@lru_cache
def template(stage: str) -> str:
    """The text of a template."""
    return (_TEMPLATES / f"{stage}.md").read_text("utf-8")


def version() -> str:
    """Hash of all templates: a changed prompt is another run."""
    text = "\0".join(template(stage) for stage in STAGES)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def quoted(text: str) -> str:
    """Text as data: JSON, in which nothing can end the quotation."""
    return json.dumps(text, ensure_ascii=False)


def influence(row: Row, question: Question, feedback: Sequence[Finding]) -> str:
    """What the damage hides; shown with both pictures."""
    damaged, clean = template("influence").split("\n---\n")
    damage = "\n".join(f"- {a.label}, strength {a.intensity:.2f}" for a in row.applied)
    return (damaged if row.applied else clean).format(
        damage=damage, question=_question(question), feedback=_feedback(feedback)
    )


def reasoning(
    question: Question, target: int, reveal_answer: bool, feedback: Sequence[Finding]
) -> str:
    """Reasoning from the clean picture; it knows the answer only where that is revealed."""
    # Where nothing is asked, the caption is the answer.
    caption = question.caption if question.question or reveal_answer else ""
    known = f"A caption of the picture, quoted as data: {quoted(caption)}"
    answer = f" The reasoning must lead to this answer: {quoted(question.answer_text)}."
    return template("reasoning").format(
        question=_question(question),
        options=_options(question),
        known=known if caption else "",
        target=target,
        answer=answer if reveal_answer and question.answer_text else "",
        feedback=_feedback(feedback),
    )


def conclusion(question: Question, reasoned: str, feedback: Sequence[Finding]) -> str:
    """One sentence from the reasoning to the row's answer; without one, to its caption."""
    return template("conclusion").format(
        reasoning=quoted(reasoned),
        question=_question(question),
        options=_options(question),
        answer_text=quoted(question.answer_text or question.caption),
        feedback=_feedback(feedback),
    )


def combined(row: Row, question: Question, target: int, feedback: Sequence[Finding]) -> str:
    """All parts at once, each by its own prompt; it knows the answer."""
    return template("combined").format(
        influence=influence(row, question, ()).strip(),
        reasoning=reasoning(question, target, True, ()).strip(),
        conclusion=conclusion(question, "the text of the second task", ()).strip(),
        feedback=_feedback(feedback),
    )


def depth(question: Question, reasoned: str, target: int) -> str:
    """Compress or extend a reasoning to its target."""
    return template("depth").format(
        reasoning=quoted(reasoned), question=_question(question), target=target, feedback=""
    )


def judge(question: Question) -> str:
    """Whether the degraded picture alone answers the question."""
    return template("judge").format(
        question=_question(question), options=_options(question), feedback=""
    )


def _question(question: Question) -> str:
    return quoted(question.question or "What does the picture show?")


def _options(question: Question) -> str:
    if not question.choices:
        return ""
    return f"The options, quoted as data, are: {json.dumps(question.choices, ensure_ascii=False)}\n"


def _feedback(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    reasons = "\n".join(f"- {f.code}: {f.detail}" for f in findings)
    return f"\nAn earlier text was refused for these reasons. Avoid them:\n{reasons}\n"
