"""Does a chain agree with the record, the question and itself? One code per way in which not.

    findings = check(chain, row, question, target(row.applied))   # () is accepted

Every check is a function of the texts alone, total on any text, and quick: patterns are compiled
once. What each catches of planted contradictions, and how often it errs on sentences that people
might write, is printed by ``benchmarks/checks.py``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from annotate import prose
from annotate.depth import tokens
from annotate.families import family_of, speaks_of
from annotate.lexicon import Claim, around, claims, plain, root, roots, severity
from annotate.support import contradicts, names
from annotate.terms import ANY, LABELS
from annotate.views import damaged_view
from degrade.schema import Applied, Chain, Code, Finding, Malformed, Question, Row

CHECKS_VERSION = 3
"""Raised whenever a verdict can change: stored answers are then judged again."""

LENGTH_LOW, LENGTH_HIGH = 0.5, 1.6
"""Bounds on the reasoning's tokens, as multiples of the target."""


_PARTS = ("INFLUENCE", "REASONING", "CONCLUSION")


class _Case(NamedTuple):
    """What the checks look at, prepared once."""

    chain: Chain
    row: Row
    question: Question
    target: int
    recorded: dict[str, tuple[float, ...]]  # label -> its intensities
    excused: frozenset[str]  # stems of the words that belong to the scene
    influence: str  # plain
    reasoning: str
    conclusion: str
    said: tuple[tuple[str, list[Claim]], ...]  # per part: its plain text and the claims in it


def check(
    chain: Chain | Malformed, row: Row, question: Question, target: int
) -> tuple[Finding, ...]:
    """Why a chain is to be refused; empty where it is accepted. Never raises, whatever the text.

    Args:
        chain: What was written, or why it could not be read.
        row: The row with its record.
        question: What is asked, and what is known of the scene; all empty where nothing is.
        target: Reasoning tokens aimed at (``annotate.depth.target``).
    """
    if isinstance(chain, Malformed):
        return (_finding("format", f"{chain.reason} at character {chain.position}"),)
    case = _prepare(chain, row, question, target)
    findings = [
        *_parts(case),
        *_types(case),
        *_named(case),
        *_invented(case),
        *_severity(case),
        *_parameters(case),
        *_answer(case),
        *_conclusion(case),
        *_view(case),
        *_length(case),
    ]
    scene = " ".join((question.question, *question.choices, question.answer, question.caption))
    # Digits of a label are no string of digits: "JPEG2000".
    labels = [label for label in case.recorded if label not in LABELS]
    allowed = plain(" ".join((scene, *question.rationales, *labels)))
    parts = dict(zip(_PARTS, (chain.influence, chain.reasoning, chain.conclusion), strict=True))
    findings += [_finding(code, detail) for code, detail in prose.faults(parts, allowed)]
    return tuple(dict.fromkeys(findings))


def _finding(code: Code, detail: str) -> Finding:
    return Finding(code=code, detail=detail.encode("utf-8", "backslashreplace").decode())


def _prepare(chain: Chain, row: Row, question: Question, target: int) -> _Case:
    recorded: dict[str, tuple[float, ...]] = {}
    for applied in row.applied:
        recorded[applied.label] = (*recorded.get(applied.label, ()), applied.intensity)
    known = (
        question.question,
        *question.choices,
        question.answer,
        question.caption,
        *question.rationales,
    )
    excused = roots(known) if any(known) else frozenset[str]()
    influence, reasoning = plain(chain.influence), plain(chain.reasoning)
    conclusion = plain(chain.conclusion)
    said = (
        (influence, claims(influence, True, excused, recorded)),
        (reasoning, claims(reasoning, False, excused, recorded)),
        (conclusion, claims(conclusion, False, excused, recorded)),
    )
    return _Case(
        chain, row, question, target, recorded, excused, influence, reasoning, conclusion, said
    )


def _parts(case: _Case) -> list[Finding]:
    chain = case.chain
    texts = {"REASONING": chain.reasoning, "CONCLUSION": chain.conclusion, "ANSWER": chain.answer}
    if case.recorded:
        texts["INFLUENCE"] = chain.influence
    return [_finding("format", f"{part} is empty") for part, t in texts.items() if not t.strip()]


def _types(case: _Case) -> list[Finding]:
    wanted = Chain.types_of(case.row.applied)
    if case.chain.types == wanted:
        return []
    given = [t.label for t in case.chain.types]
    labels = [t.label for t in wanted]
    if given != labels:
        say = ", ".join(labels) or "nothing"
        return [_finding("types", f"TYPE must be {say}; it is {', '.join(given) or 'nothing'}")]
    return [
        _finding("intensities", f"{t.label} is {w.intensity:.2f}, not {t.intensity:.2f}")
        for t, w in zip(case.chain.types, wanted, strict=True)
        if t != w
    ]


def _true_of(claim: Claim, recorded: dict[str, tuple[float, ...]]) -> set[str]:
    """The recorded labels that a claim may be about."""
    if ANY in claim.term.also:
        return set(recorded)
    kin = {label for label in recorded if speaks_of(claim.term, claim.text, label)}
    return kin | (set(recorded) & claim.term.labels)


def _about(claim: Claim, recorded: dict[str, tuple[float, ...]]) -> set[str]:
    """The same, narrowed to the label that the term names, where that is recorded."""
    about = _true_of(claim, recorded)
    return {claim.term.label} if claim.term.label in about else about


def _named(case: _Case) -> list[Finding]:
    """Every recorded type is spoken of in INFLUENCE, and none of it is denied.

    A term of a label's own counts for it; one of a family only where a single recorded label
    belongs to the family. What the question's words excuse counts too: "graffiti" in both is
    still spoken of.
    """
    spoken: set[str] = set()
    denied: dict[str, str] = {}
    for claim in case.said[0][1]:
        about = _about(claim, case.recorded)
        if ANY in claim.term.also or len(about) != 1:
            continue
        if not claim.negated:
            spoken |= about
        elif claim.term.label:
            denied.update(dict.fromkeys(about, claim.text))
    findings = [
        _finding("missing", f"INFLUENCE does not speak of {label}")
        for label in case.recorded
        if label not in spoken
    ]
    # "leaves no noise-free edge" and the like: only a label never affirmed is denied.
    findings += [
        _finding("denied", f"INFLUENCE denies {label}: {text!r}")
        for label, text in denied.items()
        if label not in spoken
    ]
    if case.recorded and _says_clean(case, bool(spoken)):
        findings.append(_finding("denied", "INFLUENCE says that nothing is degraded"))
    return findings


_OTHER = re.compile(r"\b(?:other|further|additional|else|more|second)\b")
_CLEAN = re.compile(
    r"\b(?:picture|image|photo|photograph|frame|view|it|everything)(?: \w+)? (?:is|looks|appears"
    r"|seems|remains)(?: \w+){0,2} (?:clean|undamaged|pristine|undegraded|unaltered|flawless"
    r"|perfectly (?:clear|sharp)|free (?:of|from) (?:any )?(?:damage|degradations?|defects?))\b"
)


def _says_clean(case: _Case, spoken: bool) -> bool:
    """Whether INFLUENCE denies damage as such; "no other degradation" does not."""
    for claim in case.said[0][1]:
        if claim.negated and ANY in claim.term.also:
            ahead = case.influence[max(0, claim.start - 30) : claim.start]
            if not _OTHER.search(ahead) and (claim.text.startswith("degrad") or not spoken):
                return True
    return bool(_CLEAN.search(case.influence))


def _invented(case: _Case) -> list[Finding]:
    findings = []
    # A label that belongs nowhere may look like anything: then only names are judged.
    later = any(label not in LABELS and family_of(label) is None for label in case.recorded)
    # What the record itself calls its numbers may be said: the "wobble" of a rolling shutter.
    numbers = {p.name for a in case.row.applied if a.label not in LABELS for p in a.params}
    own = roots(name.replace("_", " ") for name in numbers)
    for part, (_, found) in zip(_PARTS, case.said, strict=True):
        for claim in found:
            if claim.negated or claim.excused or _true_of(claim, case.recorded):
                continue
            if not claim.term.hard and (later or root(claim.text) in own):
                continue
            what = claim.term.label or "a degradation"
            findings.append(
                _finding(
                    "invented", f"{part} claims {what} ({claim.text!r}), which was not applied"
                )
            )
    return findings


def _severity(case: _Case) -> list[Finding]:
    findings = []
    for part, (text, found) in zip(_PARTS, case.said, strict=True):
        for claim in found:
            about = _about(claim, case.recorded)
            if claim.negated or not about:
                continue
            values = [value for label in about for value in case.recorded[label]]
            for word, (low, high) in severity(text, claim):
                if not any(low <= value <= high for value in values):
                    say = " or ".join(f"{v:.2f}" for v in values)
                    detail = f"{part} calls {claim.text!r} {word!r} at intensity {say}"
                    findings.append(_finding("severity", detail))
    return findings


# Label, its parameter, how the number is said, how far from the recorded one it may be (rounding).
_NUMBERS: tuple[tuple[str, str, re.Pattern[str], float], ...] = (
    ("jpeg compression", "quality", re.compile(r"\bquality (?:(?:of|at|is|to|level) )*(\d+)"), 1.0),
    ("motion blur", "angle", re.compile(r"\b(\d+(?:\.\d+)?) ?(?:degrees?\b|\u00b0)"), 1.0),
    ("dark illumination", "ev", re.compile(r"\b(\d+(?:\.\d+)?) (?:stops?|ev)\b"), 0.11),
    ("atmospheric turbulence", "d_over_r0", re.compile(r"\bd/r0 (?:of |is )?(\d+\.\d+)"), 0.11),
)


def _parameters(case: _Case) -> list[Finding]:
    """Numbers that only one parameter can mean, in the sentence that speaks of its degradation."""
    findings = []
    for label, name, pattern, off in _NUMBERS:
        recorded = [
            p.value
            for a in case.row.applied
            if a.label == label
            for p in a.params
            if p.name == name
        ]
        if not recorded or not pattern.search(case.influence):
            continue
        for claim in case.said[0][1]:
            if claim.term.label != label:
                continue
            sentence = around(case.influence, claim)
            for match in pattern.finditer(sentence):
                if min(abs(float(match[1][:9]) - value) for value in recorded) > off:
                    detail = (
                        f"INFLUENCE says {match[0]!r} of {label}; its {name} is {recorded[0]:.4g}"
                    )
                    findings.append(_finding("parameters", detail))
    return findings + [f for a in case.row.applied if a.label not in LABELS for f in _read(case, a)]


def _read(case: _Case, applied: Applied) -> list[Finding]:
    """Numbers said of a label without words of its own: its intensity, parameters by their name.

    Signs are not compared: a plain text has no hyphens.
    """
    same = [a for a in case.row.applied if a.label == applied.label]
    said = {f"{plain(applied.label)} at": [a.intensity for a in same]}
    for param in applied.params:
        values = [p.value for a in same for p in a.params if p.name == param.name]
        scale = 100.0 if param.unit.startswith("share") else 1.0
        said[f"{plain(param.name.replace('_', ' '))} of"] = [v * scale for v in values]
    findings = []
    for words, values in said.items():
        for match in re.finditer(rf"\b{re.escape(words)} (\d+(?:\.\d+)?)", case.influence):
            given = float(match[1][:12])
            if min(abs(given - abs(v)) - 0.02 * abs(v) for v in values) > 0.006:
                detail = f"INFLUENCE says {match[0]!r}; the recorded value is {values[0]:.4g}"
                findings.append(_finding("parameters", detail))
    return findings


def _answer(case: _Case) -> list[Finding]:
    given, wanted = case.chain.answer, case.question.answer
    if wanted:
        # A chain's parts are stripped; nothing else is forgiven.
        if given != wanted.strip():
            return [_finding("answer", f"ANSWER must be {wanted.strip()!r}, not {given!r}")]
        return []
    question = case.question
    if question.choices and given.strip() and _option(question, given) not in question.choices:
        return [_finding("answer", f"ANSWER {given!r} is none of the choices")]
    return []


def _option(question: Question, answer: str) -> str:
    return question.model_copy(update={"answer": answer}).answer_text


def _conclusion(case: _Case) -> list[Finding]:
    answer = _option(case.question, case.question.answer.strip() or case.chain.answer)
    if not answer or not case.chain.conclusion.strip():
        return []
    findings = []
    if not names(case.chain.conclusion, answer):
        findings.append(_finding("conclusion", f"CONCLUSION does not name the answer {answer!r}"))
    if other := contradicts(case.chain.conclusion, case.question, answer):
        findings.append(
            _finding("conclusion", f"CONCLUSION puts {other!r} forward; the answer is {answer!r}")
        )
    return findings


def _view(case: _Case) -> list[Finding]:
    return [
        _finding("damaged_view", f"REASONING takes the {label} for the scene: {text!r}")
        for label, text in damaged_view(case.reasoning, case.recorded, case.excused)
    ]


def _length(case: _Case) -> list[Finding]:
    n = tokens(case.chain.reasoning)
    low, high = LENGTH_LOW * case.target, LENGTH_HIGH * case.target
    if low <= n <= high:
        return []
    return [_finding("length", f"REASONING has {n} tokens; {low:.0f} to {high:.0f} are allowed")]
