"""Conversations, VLMEvalKit's tables and WebDataset's tar files as sources."""

from __future__ import annotations

import base64
import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from builders.sources.conversations import structured
from degrade.errors import UserError
from degrade.schema import Question
from tests.sources_help import (
    add,
    items,
    jpeg,
    lines,
    problems,
)

# --------------------------------------------------------------------------------- conversations


@given(
    choices=st.lists(
        st.text(st.characters(categories=["L", "N"]), min_size=2, max_size=12),
        min_size=2,
        max_size=6,
        unique_by=str.upper,
    ),
    data=st.data(),
)
def test_options_written_as_lines_become_choices(choices: list[str], data: st.DataObject) -> None:
    first = data.draw(st.sampled_from("Aa01"))
    form = data.draw(st.sampled_from(["{}. {}", "({}) {}", "{}) {}", "{}: {}"]))
    labels = [chr(ord(first) + i) for i in range(len(choices))]
    written = [form.format(n, c) for n, c in zip(labels, choices, strict=True)]
    around = data.draw(st.sampled_from([("", ""), ("Options:\n", ""), ("", "\nAnswer with it.")]))
    prompt = "What is it?\n" + around[0] + "\n".join(written) + around[1]
    index = data.draw(st.integers(0, len(choices) - 1))
    replies = [labels[index], f"({labels[index]})", f"{labels[index]}.", written[index]]
    reply = data.draw(st.sampled_from([*replies, f"The answer is {labels[index]}."]))
    found = structured(prompt, reply)
    assert (found.question, found.choices) == ("What is it?", tuple(choices))
    assert found.answer_index == index
    assert found.answer_as == ("letter" if first in "Aa" else "index")
    spelled = structured(prompt, choices[index])
    assert (spelled.answer_index, spelled.answer_as) == (index, "text")


@pytest.mark.parametrize(
    ("prompt", "reply"),
    [
        ("Steps?\n1. mix\n2. bake", "Both of them."),
        ("Pick.\nA. red\nC. blue", "A"),
        ("Pick.\nA. red", "A"),
        ("What is 0.5 of 1.5?\n0.5\n1.5", "0.5"),
        ("Describe the picture.", "A. cat"),
        ("", ""),
    ],
)
def test_what_is_no_choice_among_options_stays_whole(prompt: str, reply: str) -> None:
    assert structured(prompt, reply) == Question(question=prompt, answer=reply)


def turns(*texts: str, role: str = "from", content: str = "value") -> list[dict[str, str]]:
    who = ("human", "gpt") if role == "from" else ("user", "assistant")
    return [{role: who[i % 2], content: t} for i, t in enumerate(texts)]


@pytest.mark.parametrize("array", [True, False])
def test_llava_rows_and_their_faults(tmp_path: Path, array: bool) -> None:
    (tmp_path / "pictures" / "coco").mkdir(parents=True)
    (tmp_path / "pictures" / "coco" / "1.jpg").write_bytes(jpeg(1))
    system = [{"from": "system", "value": "Be kind."}]
    rows: list[Any] = [
        {"id": 7, "image": "coco/1.jpg", "conversations": system + turns("<image>\nA?", "B.")},
        {
            "image": ["coco/1.jpg"],
            "conversations": turns("Which?\nA. red\nB. blue", "B", "C?\n<image>", "D"),
        },
        {"id": "two", "image": ["coco/1.jpg", "coco/1.jpg"], "conversations": turns("?", "!")},
        {"id": "none", "conversations": turns("?", "!")},
        {"id": "half", "image": "coco/1.jpg", "conversations": turns("?")},
        {"id": "odd", "image": "coco/1.jpg", "conversations": "?"},
        {"id": ["list"], "image": "coco/1.jpg", "conversations": turns("?", "!")},
        "no object" if array else "{no json",
    ]
    path = tmp_path / "llava.json"
    if array:
        path.write_text(json.dumps(rows))
    else:
        lines(path, *rows)
    found = items(tmp_path, kind="llava", path="llava.json", images="pictures")
    assert [i.id for i in found[:3]] == ["7", "row-1", "row-1#2"]
    assert [i.name for i in found[:3]] == ["coco/1.jpg"] * 3
    assert [i.question.question for i in found[:3]] == ["A?", "Which?", "C?"]
    assert found[0].question.answer == "B."
    assert found[1].question.choices == ("red", "blue")
    assert problems(found) == [
        *["", "", ""],
        "several_pictures",
        "missing_picture",
        "no_pair",
        "malformed_row",
        "malformed_row",
        "malformed_row" if array else "malformed_line",
    ]
    numbered = items(tmp_path, kind="llava", path="llava.json", images="pictures", id="")
    assert numbered[0].id == "row-0"


def factory(root: Path, entry: dict[str, Any], *rows: Any) -> dict[str, Any]:
    lines(root / "rows.jsonl", *rows)
    info = {"mine": {"file_name": "rows.jsonl", **entry}, "other": {"hf_hub_url": "org/name"}}
    (root / "dataset_info.json").write_text(json.dumps(info))
    return {"kind": "llamafactory", "path": ".", "dataset": "mine"}


def test_llama_factory_entries_of_each_form(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    openai = {
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
        "num_samples": 5,
    }
    talk = turns("<image>A?", "B", role="role", content="content")
    alpaca = {"columns": {"prompt": "instruction", "images": "images"}}
    forms: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"formatting": "sharegpt"}, {"conversations": turns("<image>A?", "B")}),
        (openai, {"messages": talk}),
        (alpaca, {"instruction": "<image>", "input": "A?", "output": "B"}),
    ]
    for entry, row in forms:
        spec = factory(tmp_path, entry, {**row, "images": ["1.jpg"]}, "{broken")
        for chosen in (spec, {"kind": "llamafactory", "path": "rows.jsonl"}):
            found = items(tmp_path, **chosen)
            assert [i.id for i in found] == ["row-0", "row-1"]
            assert found[0].question == Question(question="A?", answer="B")
            assert found[0].picture == jpeg(1)
            assert problems(found) == ["", "malformed_line"]


def test_llama_factory_entries_that_cannot_be_read_say_what_to_do(tmp_path: Path) -> None:
    spec = factory(tmp_path, {"ranking": True}, {})
    with pytest.raises(UserError, match="ranks"):
        items(tmp_path, **spec)
    with pytest.raises(UserError, match="'huggingface'"):
        items(tmp_path, **{**spec, "dataset": "other"})
    with pytest.raises(UserError, match="Did you mean 'mine'"):
        items(tmp_path, **{**spec, "dataset": "mien"})
    spec = factory(tmp_path, {}, {"unknown": 1})
    with pytest.raises(UserError, match="no entries"):
        items(tmp_path, kind="llamafactory", path="rows.jsonl", dataset="mine")
    found = items(tmp_path, kind="llamafactory", path="rows.jsonl")
    assert problems(found) == ["malformed_row"]


# ------------------------------------------------------------------------------------ VLMEvalKit


def tsv(path: Path, *rows: dict[str, Any]) -> None:
    frame = pd.DataFrame(list(rows))
    frame.to_csv(path, sep="\t", index=False, quoting=csv.QUOTE_ALL)


def test_pictures_of_other_rows_lie_before_or_after(tmp_path: Path) -> None:
    images = [base64.b64encode(jpeg(i)).decode() for i in range(2)]
    far = 10**9 + 7
    both = "\n".join(images[1][i : i + 76] for i in range(0, len(images[1]), 76))
    tsv(
        tmp_path / "b.tsv",
        {"index": 3, "image": "7", "question": "forwards"},
        {"index": 5, "image": images[0], "question": "own\n\tof two lines"},
        {"index": 6, "image": "5", "question": "backwards"},
        {"index": 7, "image": both, "question": "in lines"},
        {"index": far, "image": both, "question": "a long index"},
        {"index": 71, "image": str(far), "question": "its pointer"},
        {"index": 8, "image": "6", "question": "a pointer to a pointer"},
        {"index": 9, "image": "99", "question": "to nothing"},
        {"index": 10, "image": f"data:image/jpeg;base64,{images[0]}", "question": "a URL"},
        {"index": 11, "image": repr(images[:1]), "question": "a list of one"},
        {"index": 12, "image": repr(images), "question": "a list of two"},
        {"index": 13, "image": images[0] + "*", "question": "not base64"},
        {"index": 14, "image": "", "question": "none"},
    )
    found = items(tmp_path, kind="vlmevalkit", path="b.tsv")
    assert [i.id for i in found] == ["3", "5", "6", "7", str(far), "71", *map(str, range(8, 15))]
    zero, one = jpeg(0), jpeg(1)
    pictures = [one, zero, zero, one, one, one, None, None, zero, zero, None, None, None]
    assert [i.picture for i in found] == pictures
    assert problems(found) == [
        *[""] * 6,
        "dangling_pointer",
        "dangling_pointer",
        *[""] * 2,
        "several_pictures",
        "bad_base64",
        "missing_picture",
    ]
    assert found[0].name == "3.jpg"


def test_cells_are_longer_than_the_interpreters_limit(tmp_path: Path) -> None:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "PNG")
    image = base64.b64encode(file.getvalue()).decode()
    assert len(image) > 131072
    tsv(tmp_path / "b.tsv", {"index": 0, "image": image, "question": "?"})
    (item,) = items(tmp_path, kind="vlmevalkit", path="b.tsv")
    assert (item.picture, item.name) == (file.getvalue(), "0.png")


def test_benchmarks_with_hints_captions_and_paths(tmp_path: Path) -> None:
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "a.jpg").write_bytes(jpeg(0))
    row = {"index": "x", "image_path": "shots/a.jpg", "hint": "Look.", "question": "?"}
    tsv(tmp_path / "m.tsv", {**row, "A": "red", "B": "blue", "C": None, "answer": "b"})
    (item,) = items(tmp_path, kind="vlmevalkit", path="m.tsv")
    assert (item.name, item.picture) == ("shots/a.jpg", jpeg(0))
    assert item.question.question == "Look.\n?"
    assert (item.question.choices, item.question.answer_text) == (("red", "blue"), "blue")
    captions = repr(["A cat.", "A pet."])
    tsv(tmp_path / "c.tsv", {"index": 1, "image_path": "shots/a.jpg", "answer": captions})
    (item,) = items(tmp_path, kind="vlmevalkit", path="c.tsv")
    assert item.question == Question(caption="A cat.")
    tsv(tmp_path / "h.tsv", {**row, "A": "red", "B": None, "C": "blue", "answer": "C"})
    assert problems(items(tmp_path, kind="vlmevalkit", path="h.tsv")) == ["malformed_choices"]


# ------------------------------------------------------------------------------------ WebDataset


def test_samples_prefer_the_clean_picture_and_name_their_faults(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s-0.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("./.hidden"))
        add(tar, "x/1.json", b'{"question": "A?"}')
        add(tar, "x/1.jpg", jpeg(0))
        add(tar, "x/1.clean.jpg", jpeg(1))
        add(tar, "x/2.JPG", jpeg(2))
        add(tar, "x/2.txt", b" A cat. \n")
        add(tar, "x/3.json", b"{}")
        add(tar, "x/4.jpg", jpeg(4))
        add(tar, "x/4.json", b"{broken")
        add(tar, "x/5.jpg", jpeg(5))
        add(tar, "x/5.png", jpeg(5))
        add(tar, "x/6.jpg", jpeg(6))
        add(tar, "x/6.mask.png", jpeg(0))
        add(tar, "x/6.json", b'{"id": "six"}')
    with tarfile.open(tmp_path / "s-1.tar", "w") as tar:
        add(tar, "x/1.jpg", jpeg(7))
        add(tar, "x/2.jpg", jpeg(8))
        add(tar, "x/2.jpg", jpeg(9))
    found = items(tmp_path, kind="webdataset", path=".")
    names = [f"s-0/x/{i}" for i in range(1, 6)]
    assert [i.id for i in found] == [*names, "six", "s-1/x/1", "s-1/x/2", "s-1/x/2"]
    clean = [jpeg(1), jpeg(2), None, None, None, *(jpeg(n) for n in range(6, 10))]
    assert [i.picture for i in found] == clean
    reasons = ["", "", "missing_picture", "malformed_row", "several_pictures", *[""] * 4]
    assert problems(found) == reasons
    assert (found[0].question.question, found[0].name) == ("A?", "1.clean.jpg")
    assert found[1].question.caption == "A cat."
    chosen = items(tmp_path, kind="webdataset", path="s-0*", columns={"image": "jpg"})
    assert chosen[0].picture == jpeg(0)
    with pytest.raises(UserError, match="no files"):
        items(tmp_path, kind="webdataset", path="t-*.tar")
