"""What is asked: rows, prompts, controls, rotations; and what is refused before anything is."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from degrade.errors import UserError
from degrade.schema import Chain
from tests.dataset_help import WORDS, small_dataset
from tests.evaluation_help import LEVELS, benchmark, entry, listed, write_benchmark
from trainer.evaluation.config import DEFAULTS, read_options
from trainer.evaluation.items import Benchmark, identity
from trainer.evaluation.plan import plan, with_pictures
from trainer.evaluation.prompts import prompt, rotated, style, style_names, unrotated


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return Benchmark(benchmark(tmp_path_factory.mktemp("bench"), items=6))


# -------------------------------------------------------------------------------------- rows


def test_rows_say_what_was_done_and_at_which_level(bench: Benchmark) -> None:
    items = bench.items().items
    assert len(items) == 6 * len(LEVELS)
    assert {i.level for i in items} == set(LEVELS)
    clean = [i for i in items if i.level == 0]
    assert {(i.operator, i.stage, i.types, i.recorded) for i in clean} == {
        ("clean", "clean", (), True)
    }
    blurred = next(i for i in items if i.id == "scenes/000@0.50")
    assert (blurred.operator, blurred.stage) == ("lens_blur", "acquisition")
    assert blurred.types[0].label == "lens blur"
    assert blurred.intensity_sum == pytest.approx(0.5)
    assert blurred.digests["clean_image"] == next(
        i.digests["image"] for i in clean if i.item == blurred.item
    )


def test_a_limit_takes_whole_questions_and_does_not_depend_on_the_order_of_rows(
    bench: Benchmark, tmp_path: Path
) -> None:
    two, four = (bench.items(limit=n).items for n in (2, 4))
    assert len(two) == 2 * len(LEVELS)
    assert {i.id for i in two} < {i.id for i in four}
    entries = [entry(n, level) for level in LEVELS for n in range(6)]
    random.Random(1).shuffle(entries)
    shuffled = Benchmark(write_benchmark(tmp_path, entries))
    assert {i.id for i in shuffled.items(limit=2).items} == {i.id for i in two}
    assert identity(shuffled.items().items) == identity(bench.items().items)


def test_a_data_set_without_levels_is_asked_by_split(tmp_path: Path) -> None:
    data = Benchmark(small_dataset(tmp_path / "data"))
    with pytest.raises(UserError, match=r"say which with --split\. There are .*test_seen"):
        data.items()
    items = data.items(["test_seen"]).items
    assert {(i.level, i.split, i.item == i.id) for i in items} == {(None, "test_seen", True)}
    assert {i.operator for i in items} - {"several"} <= {
        "lens_blur", "jpeg_compression", "gaussian_noise", "graffiti"
    }  # fmt: skip
    with pytest.raises(UserError, match="Did you mean 'test_seen'"):
        data.items(["test_sen"])


def test_rows_that_cannot_be_asked_are_counted_with_the_reason(tmp_path: Path) -> None:
    odd = [
        entry(0, 0.0),
        entry(1, 0.0, question=" "),
        entry(2, 0.0, task="vqa", answer=""),
        entry(3, 0.0, choices=("red",), answer="0"),
        entry(4, 0.0, answer="7"),
    ]
    found = Benchmark(write_benchmark(tmp_path, odd)).items()
    assert [i.id for i in found.items] == ["scenes/000@0.00"]
    assert found.left_out == {
        "answer_is_no_choice": 1, "no_answer": 1, "no_choices": 1, "no_question": 1
    }  # fmt: skip


def test_what_is_no_benchmark_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished run of `degrade-cli build`"):
        Benchmark(tmp_path)
    twice = write_benchmark(
        tmp_path / "twice", [entry(0, 0.0), entry(0, 0.5, id="scenes/000@0.00")]
    )
    with pytest.raises(UserError, match=r"two rows of id 'scenes/000@0\.00'"):
        Benchmark(twice).items()
    only = Benchmark(benchmark(tmp_path / "mcq", items=1))
    with pytest.raises(UserError, match="nothing to ask of task caption"):
        only.items(tasks=["caption"])
    path = next((tmp_path / "mcq" / "data").glob("*.parquet"))
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match="Cannot read"):
        Benchmark(tmp_path / "mcq").items()


def test_sources_that_come_degraded_say_so_in_their_tags(tmp_path: Path) -> None:
    tags = ("distortion=5", "step=Camera", "group=Blur", "strength=2", "task=MCQ")
    rows = [
        entry(0, 0.67, source_tags=tags, applied=(), types=(), intensity_sum=0.0),
        entry(0, 0.0, source_tags=tags),
    ]
    damaged, clean = Benchmark(write_benchmark(tmp_path, rows)).items().items
    if damaged.level == 0:
        damaged, clean = clean, damaged
    assert (damaged.operator, damaged.stage) == ("distortion 5", "Camera")
    assert (clean.operator, clean.stage) == ("clean", "clean")
    with pytest.raises(UserError, match="leave out --control told"):
        prompt(damaged, style("plain"), "told")


# ----------------------------------------------------------------------------------- prompts


def test_the_plain_style_letters_the_options(bench: Benchmark) -> None:
    item = bench.items().items[0]
    asked = prompt(item, style("plain"))
    assert asked.form == "letter"
    assert asked.text == (
        "What color is the door of house 0?\nA. red\nB. green\nC. blue\nD. yellow\n"
        "Answer with the letter of the right option alone."
    )


def test_the_chain_style_asks_as_training_does(bench: Benchmark) -> None:
    item = bench.items().items[0]
    asked = prompt(item, style("chain"))
    assert asked.form == item.question.answer_as == "index"
    assert asked.text == Chain.request(item.question)


def test_the_chain_style_numbers_options_whose_answers_are_texts(tmp_path: Path) -> None:
    rows = [
        entry(0, 0.0, answer="red", answer_as="text"),
        entry(1, 0.0, answer="B", answer_as="letter"),
    ]
    texts, letters = Benchmark(write_benchmark(tmp_path, rows)).items().items
    assert prompt(texts, style("chain")).form == "index"
    assert "\n0. red\n1. green" in prompt(texts, style("chain")).text
    assert prompt(letters, style("chain")).form == "letter"


def test_r_bench_prompts_are_the_published_ones(tmp_path: Path) -> None:
    rows = [entry(0, 0.0), entry(1, 0.0, task="vqa"), entry(2, 0.0, task="caption")]
    items = Benchmark(write_benchmark(tmp_path, rows)).items().items
    texts = [prompt(item, style("r-bench")).text for item in items]
    assert texts == [
        "What color is the door of house 0?\nA.red; B.green; C.blue; D.yellow\n"
        "Answer with the option's letter from the given choices directly.",
        "What color is the door of house 1?. Please answer no more than 10 words",
        "Please describe this image in general. Directly provide the description, do not include "
        "prefix like 'This image depicts'",
    ]


def test_the_damage_is_told_by_name_and_intensity(bench: Benchmark) -> None:
    items = {i.id: i for i in bench.items().items}
    assert "lens blur(0.50)" in prompt(items["scenes/000@0.50"], style("plain"), "told").text
    assert "is not degraded" in prompt(items["scenes/000@0.00"], style("plain"), "told").text


def test_rotated_options_lead_back_to_the_original(bench: Benchmark) -> None:
    item = bench.items().items[0]
    for places in range(4):
        asked = prompt(item, style("plain"), rotation=places)
        assert listed(asked.text) == list(asked.choices) == list(rotated(WORDS, places))
        for index, text in enumerate(asked.choices):
            assert WORDS[unrotated(index, places, 4)] == text


def test_more_options_than_letters_are_numbered(tmp_path: Path) -> None:
    many = tuple(f"color {n}" for n in range(30))
    rows = [entry(0, 0.0, choices=many, answer="29")]
    (item,) = Benchmark(write_benchmark(tmp_path, rows)).items().items
    assert "29. color 29" in prompt(item, style("plain")).text


def test_words_of_a_question_are_no_fields_of_a_template(tmp_path: Path) -> None:
    rows = [entry(0, 0.0, question="What is {options} in {types}?")]
    (item,) = Benchmark(write_benchmark(tmp_path, rows)).items().items
    assert prompt(item, style("plain")).text.startswith("What is {options} in {types}?\nA. red")


def test_a_style_of_ones_own_is_a_file_and_its_mistakes_are_named(tmp_path: Path) -> None:
    assert set(style_names()) == {"plain", "chain", "r-bench"}
    own = style("plain").model_dump() | {
        "name": "own",
        "mcq": "{question}\n{options}\nThink first.",
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(own), "utf-8")
    assert style(str(path)).version != style("plain").version
    path.write_text(yaml.safe_dump(own | {"mcq": "{questions}"}), "utf-8")
    with pytest.raises(UserError, match="Did you mean 'question'"):
        style(str(path))
    path.write_text(yaml.safe_dump(own | {"label": "index"}), "utf-8")
    with pytest.raises(UserError, match="Did you mean 'labels'"):
        style(str(path))
    with pytest.raises(UserError, match="Did you mean 'chain'"):
        style("chains")


# -------------------------------------------------------------------------------------- plan


def test_equal_questions_are_asked_once(bench: Benchmark) -> None:
    items = bench.items().items
    asks = plan(items, style("plain"), ("none", "blind", "clean"), circular=False)
    # As it is: 6 questions at 4 levels. Without a picture: the same at all levels. The clean
    # picture is that of level 0.
    assert len(asks) == 24 + 6
    assert sum(len(ask.uses) for ask in asks.values()) == 3 * 24
    told = plan(items, style("plain"), ("none", "told"), circular=True)
    assert len(told) == 4 * 2 * 24


def test_pictures_come_with_their_questions(bench: Benchmark) -> None:
    items = bench.items(limit=2).items
    asks = plan(items, style("plain"), ("none", "blind", "clean"), circular=False)
    found = {ask.key: data for ask, data in with_pictures(bench, asks.values())}
    assert found.keys() == asks.keys()
    for key, ask in asks.items():
        assert bool(found[key]) == (ask.picture is not None)


# ----------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "m", "promt": "x"}, "Did you mean 'prompt'"),
        ({"model": "m", "controls": ["blnd"]}, "controls.0: Input should be 'none', 'blind'"),
        ({"model": "m", "temperature": 0.5}, "only an endpoint takes 'temperature'"),
        ({"model": "m", "batch_api": True}, "only an endpoint takes 'batch_api'"),
        ({"model": "m", "remote": True, "dtype": "float32"}, "only a local model takes 'dtype'"),
        ({"model": "m", "ratings": 5}, "only with 'judge'"),
        ({"remote": True}, "give 'model'"),
        ({"batch": 4}, "only where a model is asked is there 'batch'"),
        ({"model": "m", "remote": True, "base_url": "x"}, "base_url: the base URL must look like"),
        ({"model": "m", "judge": "j", "judge_base_url": "x"}, "the base URL must look like"),
        ({"model": "m", "remote": True, "concurrency": 0}, "concurrency: Input should be greater"),
        ({"model": "m", "limit": 0}, "limit: Input should be greater"),
    ],
)
def test_options_that_are_not_allowed_are_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_options(given)
    assert message in str(caught.value)


def test_the_picture_as_it_is_is_always_asked_about() -> None:
    assert DEFAULTS.all_controls == ("none",)
    assert read_options({"model": "m", "controls": ["told", "none"]}).all_controls == (
        "none",
        "told",
    )
