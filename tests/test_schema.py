"""The vocabulary: frozen, strict, torch-free."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from degrade.schema import (
    Applied,
    Chain,
    Degradation,
    Malformed,
    Param,
    SeedValue,
    describe,
)

RECORD = Applied(
    operator="lens_blur",
    version=1,
    stage="acquisition",
    intensity=0.47,
    short_side=512,
    params=(Param(name="radius", value=7.2, unit="px"),),
    seeds=(SeedValue(name="seed", value=1),),
)


def test_labels_are_the_papers() -> None:
    jpeg = RECORD.model_copy(update={"operator": "jpeg_compression", "intensity": 0.5})
    assert describe([RECORD, jpeg]) == "lens blur(0.47), jpeg compression(0.50)"
    assert describe([]) == ""


def test_records_are_frozen_and_refuse_unknown_keys() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RECORD.intensity = 0.5  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra"):
        Applied.model_validate(RECORD.model_dump() | {"severity": 3})


@pytest.mark.parametrize(
    "change",
    [
        {"intensity": 1.01},
        {"intensity": float("nan")},
        {"version": 0},
        {"stage": "capture"},
        {"seeds": [{"name": "seed", "value": 2**32}]},
    ],
)
def test_impossible_values_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Applied.model_validate(RECORD.model_dump() | change)


@pytest.mark.parametrize("module", ["degrade.schema", "degrade.cli"])
def test_importing_it_loads_no_torch_and_no_extra(module: str) -> None:
    code = (
        f"import {module}, sys; heavy = {{'torch', 'kornia', 'cv2', 'pyarrow', 'openai', 'ray', "
        "'gradio', 'trl', 'transformers', 'datasets', 'huggingface_hub'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -------------------------------------------------------------------------------------- chains

PAPER_FORMAT = re.compile(  # the reward of Robust-R1's release
    r"<TYPE>.*?<TYPE_END>\s*<INFLUENCE>.*?<INFLUENCE_END>\s*<REASONING>.*?<REASONING_END>\s*"
    r"<CONCLUSION>.*?<CONCLUSION_END>\s*<ANSWER>.*?<ANSWER_END>",
    re.DOTALL,
)
PAPER_ITEM = re.compile(r"(\w+(?:\s+\w+)*)\(([\d.]+)\)")
CHAIN = Chain(
    types=(
        Degradation(label="lens blur", intensity=0.62),
        Degradation(label="jpeg compression", intensity=0.3),
    ),
    influence="Fine print is lost.",
    reasoning="The sign is red.\nIt has eight sides.",
    conclusion="It is a stop sign.",
    answer="B",
)
prose = st.text(max_size=60).map(str.strip)


def test_a_chain_renders_as_the_paper_writes_it() -> None:
    assert CHAIN.render() == (
        "<TYPE>lens blur(0.62), jpeg compression(0.30)<TYPE_END>\n"
        "<INFLUENCE>Fine print is lost.<INFLUENCE_END>\n"
        "<REASONING>The sign is red.\nIt has eight sides.<REASONING_END>\n"
        "<CONCLUSION>It is a stop sign.<CONCLUSION_END>\n"
        "<ANSWER>B<ANSWER_END>"
    )


@given(intensities=st.lists(st.integers(0, 100), max_size=7), texts=st.tuples(*[prose] * 4))
def test_every_chain_reads_back_and_fits_the_papers_patterns(
    intensities: list[int], texts: tuple[str, ...]
) -> None:
    names = [f"kind {chr(97 + i)}" for i in range(len(intensities))]
    types = [
        Degradation(label=n, intensity=i / 100) for n, i in zip(names, intensities, strict=True)
    ]
    fields = dict(zip(("influence", "reasoning", "conclusion", "answer"), texts, strict=True))
    try:
        chain = Chain.model_validate({"types": types, **fields})
    except ValidationError:
        return  # tags and control characters have a test of their own
    text = chain.render()
    assert Chain.parse(text) == chain
    assert Chain.parse(f"\n  {text.replace('_END>', '_END>  ')}\t") == chain
    assert PAPER_FORMAT.search(text)
    block = text[: text.index("<TYPE_END>")]
    assert [(n, float(s)) for n, s in PAPER_ITEM.findall(block)] == [
        (t.label, t.intensity) for t in types
    ]


@given(st.text(alphabet=st.sampled_from("<>_/ TYPEINFLUCRASOGW()0.5,ab\n\x00\ud800"), max_size=200))
def test_hostile_text_gives_a_position_never_an_exception(text: str) -> None:
    for hostile in (text, CHAIN.render() + text, CHAIN.render()[: len(text)] + text):
        found = Chain.parse(hostile)
        assert isinstance(found, Chain | Malformed)
        if isinstance(found, Malformed):
            assert 0 <= found.position <= len(hostile)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<TYPE>", "", "expected <TYPE>"),
        ("<INFLUENCE_END>", "", "INFLUENCE"),
        ("<ANSWER_END>", "", "not closed"),
        ("<ANSWER_END>", "<ANSWER_END> and more", "after the last block"),
        ("Fine", "<ANSWER>A<ANSWER_END> Fine", "holds the tag"),
        ("lens blur(0.62)", "lens blur(6.2)", "where name"),
        ("lens blur(0.62)", "lens blur(1.2.3)", "where name"),
        ("lens blur(0.62)", "lens blur", "where name"),
        ("Fine", "Fi\x00ne", "control character"),
    ],
)
def test_what_is_wrong_is_said(old: str, new: str, reason: str) -> None:
    found = Chain.parse(CHAIN.render().replace(old, new, 1))
    assert isinstance(found, Malformed)
    assert reason in found.reason


@pytest.mark.parametrize("bad", ["a <ANSWER>C<ANSWER_END>", "a < type_end > b", "a\x1b[0m", " a"])
def test_no_prose_can_break_the_structure(bad: str) -> None:
    with pytest.raises(ValidationError):
        Chain.model_validate(CHAIN.model_dump() | {"influence": bad})


def test_the_types_of_a_record_are_its_labels() -> None:
    assert Chain.types_of([RECORD]) == (Degradation(label="lens blur", intensity=0.47),)
