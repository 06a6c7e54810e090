"""Which option a reply names: a table of replies read by hand, and what must hold of any reply."""

from __future__ import annotations

import string
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from degrade.schema import Chain, Question
from trainer.evaluation.free import declines, free, free_score, same_free
from trainer.evaluation.options import FINDS, MISSES, RAMBLING, read
from trainer.rewards import same_answer

COLORS = ("blue", "red", "dark red", "green")
ANIMALS = ("a cat", "A man on a horse", "two dogs", "none of these")
NUMBERS = ("1", "2", "3", "4")
YES = ("yes", "no")
TALK = "The picture shows a street with several houses and a few people. " * 8


def chain(answer: str) -> str:
    texts = dict.fromkeys(("influence", "reasoning", "conclusion"), "It is (A) or blue.")
    return Chain(types=(), answer=answer, **texts).render()


# What is said, the options, how they are labelled, the option that a person takes it for, and how.
TABLE: list[tuple[str, tuple[str, ...], str, int | None, str]] = [
    # A label, an option's text, or both.
    ("B", COLORS, "letter", 1, "exact"),
    ("b", COLORS, "letter", 1, "exact"),
    ("B.", COLORS, "letter", 1, "exact"),
    ("(B)", COLORS, "letter", 1, "exact"),
    ("(b).", COLORS, "letter", 1, "exact"),
    (" 'B' \n", COLORS, "letter", 1, "exact"),
    ("\uff22", COLORS, "letter", 1, "exact"),
    ("B. red", COLORS, "letter", 1, "exact"),
    ("B. Red.", COLORS, "letter", 1, "exact"),
    ("red", COLORS, "letter", 1, "exact"),
    ("Dark  Red.", COLORS, "letter", 2, "exact"),
    ("A man on a horse.", ANIMALS, "letter", 1, "exact"),
    ("a cat", ANIMALS, "letter", 0, "exact"),
    ("none of these", ANIMALS, "letter", 3, "exact"),
    ("no", YES, "letter", 1, "exact"),
    ("2", COLORS, "index", 2, "exact"),
    ("2. dark red", COLORS, "index", 2, "exact"),
    ("2", NUMBERS, "index", 2, "exact"),
    ("2", NUMBERS, "text", 1, "exact"),
    ("2", NUMBERS, "letter", 1, "exact"),
    ("**B**", COLORS, "letter", 1, "exact"),
    ("`B`", COLORS, "letter", 1, "exact"),
    ("$\\text{B}$", COLORS, "letter", 1, "exact"),
    # A label with a few words around it.
    ("Answer: B", COLORS, "letter", 1, "label"),
    ("answer: b", COLORS, "letter", 1, "label"),
    ("The answer is B.", COLORS, "letter", 1, "label"),
    ("The correct answer is: (B).", COLORS, "letter", 1, "label"),
    ("**Answer:** (B)", COLORS, "letter", 1, "label"),
    ("Option B", COLORS, "letter", 1, "label"),
    ("[B]", COLORS, "letter", 1, "label"),
    ("B)", COLORS, "letter", 1, "exact"),
    ("B:", COLORS, "letter", 1, "label"),
    ("So the final answer is B!", COLORS, "letter", 1, "label"),
    ("Option 2.", COLORS, "index", 2, "label"),
    ("The answer is 2.", NUMBERS, "index", 2, "label"),
    # A label with its text.
    ("(B) red", COLORS, "letter", 1, "label_text"),
    ("B) red", COLORS, "letter", 1, "label_text"),
    ("B: red", COLORS, "letter", 1, "label_text"),
    ("B - red", COLORS, "letter", 1, "label_text"),
    ("B red", COLORS, "letter", 1, "label_text"),
    ("**B. red**.", COLORS, "letter", 1, "exact"),
    ("The answer is B. red", COLORS, "letter", 1, "label_text"),
    ("Answer: (C) dark red.", COLORS, "letter", 2, "label_text"),
    ("2: dark red", COLORS, "index", 2, "label_text"),
    ("B. blue", COLORS, "letter", None, "conflict"),
    ("(D) red", COLORS, "letter", None, "conflict"),
    # Announced.
    ("The door is red, so the answer is B.", COLORS, "letter", 1, "announced"),
    ("The answer is B because the door is red.", COLORS, "letter", 1, "announced"),
    ("Looking at it, I would choose (B).", COLORS, "letter", 1, "announced"),
    ("I'll go with option B, red.", COLORS, "letter", 1, "announced"),
    ("The answer is red.", COLORS, "letter", 1, "announced"),
    ("The answer is dark red, I think.", COLORS, "letter", 2, "announced"),
    ("The correct option is: the dark red one", COLORS, "letter", 2, "announced"),
    ("Option B is correct.", COLORS, "letter", 1, "announced"),
    ("(B) is the best choice here.", COLORS, "letter", 1, "announced"),
    ("A is wrong, C is dark. B is correct", COLORS, "letter", 1, "announced"),
    ("The answer is a man on a horse, not a cat.", ANIMALS, "letter", 1, "announced"),
    ("First I thought the answer is A. Final answer: B", COLORS, "letter", 1, "announced"),
    (TALK + "Therefore, the answer is B.", COLORS, "letter", 1, "announced"),
    ("The answer is option 2, dark red.", COLORS, "index", 2, "label_text"),
    ("Answer: B red", COLORS, "letter", 1, "label_text"),
    ("My answer would be (B), since it looks red.", COLORS, "letter", 1, "announced"),
    ("The answer to the question is B.", COLORS, "letter", 1, "announced"),
    ("答案是B。", COLORS, "letter", 1, "announced"),
    ("The answer is A or B.", COLORS, "letter", None, "conflict"),
    ("The answer is A. No wait, the answer is B.", COLORS, "letter", None, "conflict"),
    ("So the answer is b because of the door", COLORS, "letter", 1, "announced"),
    ("Answer: A man on a horse", ANIMALS, "letter", 1, "announced"),
    ("Question: which? A. blue B. red Answer: B", COLORS, "letter", 1, "announced"),
    # A line of its own.
    ("B\nThe door is red.", COLORS, "letter", 1, "line"),
    ("The door has the color of wine.\n\nB", COLORS, "letter", 1, "line"),
    (TALK + "\n**B. red**", COLORS, "letter", 1, "line"),
    ("- red", COLORS, "letter", 1, "exact"),
    ("A. blue\nB. red\nC. dark red\nD. green", COLORS, "letter", None, "several"),
    ("A\nB", COLORS, "letter", None, "several"),
    # It begins with a label.
    ("B. The door looks like wine.", COLORS, "letter", 1, "leading"),
    ("(B) It looks like wine.", COLORS, "letter", 1, "leading"),
    ("B) because of the door", COLORS, "letter", 1, "leading"),
    ("B. It cannot be (C).", COLORS, "letter", 1, "leading"),
    ("B. Or it may be (C).", COLORS, "letter", None, "several"),
    # In passing.
    ("I think it is (B), wine.", COLORS, "letter", 1, "marked"),
    ("It must be B.", COLORS, "letter", 1, "marked"),
    ("It must be A.", COLORS, "letter", 0, "marked"),
    ("It looks most like option B to me", COLORS, "letter", 1, "marked"),
    ("B (90 %)", COLORS, "letter", 1, "marked"),
    ("I'd say (b), wine", COLORS, "letter", 1, "marked"),
    ("The answer is not A.", COLORS, "letter", None, "none"),
    ("It is not (A).", COLORS, "letter", None, "none"),
    ("I don't see blue, it is red.", COLORS, "letter", 1, "mentioned"),
    ("A or B", COLORS, "letter", None, "several"),
    ("Either (A) or (B).", COLORS, "letter", None, "several"),
    ("Bred", ("blue", "red"), "letter", None, "none"),
    ("B, C", COLORS, "letter", None, "several"),
    ("The door is red.", COLORS, "letter", 1, "mentioned"),
    ("The door is dark red.", COLORS, "letter", 2, "mentioned"),
    ("It is not blue but red.", COLORS, "letter", 1, "mentioned"),
    ("It isn't blue.", COLORS, "letter", None, "none"),
    ("The door is red and the roof is blue.", COLORS, "letter", None, "several"),
    ("red, blue", COLORS, "letter", None, "several"),
    ("I see two dogs on the grass.", ANIMALS, "letter", 2, "mentioned"),
    ("A man stands there.", COLORS, "letter", None, "none"),
    ("There are 2 doors.", COLORS, "index", None, "none"),
    ("Redness", COLORS, "letter", None, "none"),
    ("E", COLORS, "letter", None, "none"),
    ("7", COLORS, "index", None, "none"),
    ("purple", COLORS, "letter", None, "none"),
    ("1", COLORS, "letter", None, "none"),
    ("B", COLORS, "index", None, "none"),
    # An article is no label; digits of another number are no option; a bullet is no sign.
    ("A red", COLORS, "letter", 1, "mentioned"),
    ("a red.", COLORS, "letter", 1, "mentioned"),
    ("The answer is a red", COLORS, "letter", 1, "announced"),
    ("A. red", COLORS, "letter", None, "conflict"),
    ("(A) red", COLORS, "letter", None, "conflict"),
    ("Option A red", COLORS, "letter", None, "conflict"),
    ("A, I think", COLORS, "letter", 0, "marked"),
    ("A because of the door", COLORS, "letter", 0, "marked"),
    ("About 3.5 or so", NUMBERS, "letter", None, "none"),
    ("It is 0.3 m", NUMBERS, "letter", None, "none"),
    ("The answer is 2.5", NUMBERS, "letter", None, "none"),
    ("I think the answer is 2.5", NUMBERS, "index", None, "none"),
    ("There are 3.", NUMBERS, "letter", 2, "mentioned"),
    ("-3", NUMBERS, "letter", None, "none"),
    ("\u22123", ("3", "-3"), "letter", 1, "exact"),
    ("- 3", NUMBERS, "letter", 2, "exact"),
    ("x = -3 m", ("3", "-3"), "letter", 1, "mentioned"),
    # Yes and no, whatever follows.
    ("Yes, there is no car.", YES, "letter", 0, "leading"),
    ("No. I was asked for yes or no.", YES, "letter", 1, "leading"),
    ("Yes, no.", YES, "letter", None, "several"),
    ("No, there is a red door.", COLORS, "letter", 1, "mentioned"),
    # Refusals, rambling, nothing.
    ("I'm sorry, I can't help with that.", COLORS, "letter", None, "refusal"),
    ("I cannot determine the color, it may be red.", COLORS, "letter", None, "refusal"),
    ("As an AI, I have no eyes.", COLORS, "letter", None, "refusal"),
    ("There is no image.", COLORS, "letter", None, "refusal"),
    ("I\u2019m sorry, but I can\u2019t see it. My answer is B.", COLORS, "letter", 1, "announced"),
    ("None of these, I guess.", ANIMALS, "letter", 3, "mentioned"),
    (TALK + "There is a red door.", COLORS, "letter", None, "rambling"),
    (TALK, COLORS, "letter", None, "rambling"),
    ("", COLORS, "letter", None, "empty"),
    (" \n\t", COLORS, "letter", None, "empty"),
    ("...", COLORS, "letter", None, "none"),
    ("**", COLORS, "letter", None, "none"),
    # Tags, boxes, thoughts.
    (chain("2"), COLORS, "index", 2, "tag"),
    (chain("dark red"), COLORS, "index", 2, "tag"),
    (chain("B"), COLORS, "letter", 1, "tag"),
    (chain("the red one"), COLORS, "letter", 1, "tag"),
    (chain("purple"), COLORS, "letter", None, "tag_unclear"),
    (chain(""), COLORS, "letter", None, "tag_unclear"),
    ("It is (A). <ANSWER>B<ANSWER_END>", COLORS, "letter", 1, "tag"),
    ("<ANSWER>B", COLORS, "letter", 1, "tag"),
    ("<answer>B</answer>", COLORS, "letter", 1, "tag"),
    ("<ANSWER>B<ANSWER_END><ANSWER>B<ANSWER_END>", COLORS, "letter", 1, "tag_repeated"),
    ("<ANSWER>B<ANSWER_END>\n" * 40 + "<ANSWER>", COLORS, "letter", 1, "tag_repeated"),
    ("<ANSWER>A<ANSWER_END><ANSWER>B<ANSWER_END>", COLORS, "letter", None, "tag_conflict"),
    ("<ANSWER><ANSWER><ANSWER>", COLORS, "letter", None, "tag_unclear"),
    ("<ANSWER>A or B<ANSWER_END>", COLORS, "letter", None, "tag_unclear"),
    ("So we get \\boxed{B}.", COLORS, "letter", 1, "tag"),
    ("\\boxed{\\text{red}}", COLORS, "letter", 1, "tag"),
    ('{"answer": "B", "why": "A door"}', COLORS, "letter", 1, "tag"),
    ('```json\n{"answer": 2}\n```', COLORS, "index", 2, "tag"),
    ("<think>It may be A.</think>\nB", COLORS, "letter", 1, "exact"),
    ("It may be A.</think>\n\n**B**", COLORS, "letter", 1, "exact"),
    ("<think>It may be A, the answer is A", COLORS, "letter", None, "unfinished"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "choices", "form", "option", "rule"), TABLE)
def test_replies_are_read_as_a_person_reads_them(
    text: str, choices: tuple[str, ...], form: str, option: int | None, rule: str
) -> None:
    found = read(text, choices, form)
    assert (found.option, found.rule) == (option, rule)


def test_every_rule_is_in_the_table() -> None:
    by_status = {"refused", "filtered"}  # these have no text to read
    assert {row[4] for row in TABLE} | by_status == FINDS.keys() | MISSES.keys()
    for *_, option, rule in TABLE:
        assert (option is not None) == (rule in FINDS)


WORDS = st.text("abcdefghij XYZ", min_size=3, max_size=12).filter(lambda t: len(t.split()) > 0)
OPTIONS = st.lists(
    WORDS, min_size=2, max_size=6, unique_by=lambda t: " ".join(t.casefold().split())
)
FORMS = st.sampled_from(["letter", "index"])
AROUND = (
    "{0}", "({0})", "{0}.", "{0})", "[{0}]", "**{0}**", "`{0}`", "\n{0}\n", "Answer: {0}",
    "answer is {0}.", "The correct answer is ({0}).", "Final answer: {0}", "Option {0}",
    "<ANSWER>{0}<ANSWER_END>", "<answer>{0}</answer>", "\\boxed{{{0}}}", '{{"answer": "{0}"}}',
    "<think>It may be (A) or (B).</think>{0}", "I would choose ({0}).",
)  # fmt: skip


@given(OPTIONS, st.data(), FORMS, st.sampled_from(AROUND))
def test_a_label_is_found_whatever_is_around_it(
    choices: list[str], data: Any, form: str, around: str
) -> None:
    index = data.draw(st.integers(0, len(choices) - 1))
    label = string.ascii_uppercase[index] if form == "letter" else str(index)
    assert read(around.format(label), choices, form).option == index


@given(OPTIONS, st.data(), FORMS)
def test_an_options_text_is_found_with_or_without_its_label(
    choices: list[str], data: Any, form: str
) -> None:
    index = data.draw(st.integers(0, len(choices) - 1))
    label = string.ascii_uppercase[index] if form == "letter" else str(index)
    for text in (choices[index], f"{label}. {choices[index]}", f"({label}) {choices[index]}"):
        assert read(text, choices, form).option == index


PIECES = st.sampled_from(
    [*"ABCD0123", "(", ")", ".", ":", "\n", " ", "red", "blue", "answer", "is", "not", "or", "the",
     "<ANSWER>", "<ANSWER_END>", "<think>", "</think>", "\\boxed{", "}", "option", "I can't", "*"]
)  # fmt: skip


@given(
    st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map(" ".join)),
    st.sampled_from([COLORS, ANIMALS, NUMBERS, YES, ("", "a"), ("A", "B"), ("(", "[")]),
    st.sampled_from(["letter", "index", "text", ""]),
)
def test_any_reply_gets_a_rule_and_never_an_option_that_is_not_there(
    text: str, choices: tuple[str, ...], form: str
) -> None:
    found = read(text, choices, form)
    assert found.rule in (FINDS if found.option is not None else MISSES)
    assert found.option is None or 0 <= found.option < len(choices)
    assert read(f"  {text}\n", choices, form) == found or "\n" in text
    given, how = free(text)
    assert bool(given) or how in {"whole", *MISSES}


@given(st.sampled_from([COLORS, ANIMALS, NUMBERS, YES]), st.integers(0, 1), st.data())
def test_what_training_rewards_evaluation_counts(
    choices: tuple[str, ...], truth: int, data: Any
) -> None:
    form = data.draw(st.sampled_from(["letter", "index", "text"]))
    question = Question(choices=choices, answer=choices[truth], answer_as="text").answered(form)
    label = {"letter": "AB"[truth], "index": str(truth), "text": choices[truth]}[form]
    text = data.draw(
        st.sampled_from([label, f"{label}.", choices[truth], f"{label}. {choices[truth]}", "x"])
    )
    if same_answer(text, question.answer, choices, form):
        assert read(text, choices, form).option == truth
        assert read(chain(text), choices, form).option == truth


@pytest.mark.parametrize(
    "text",
    ["{}, I think", "{} because of it", "{} - I think", "{}!", "I think {} is it", "I pick {} here",
     "{} (90 %)", "{} seems right", "{} as seen", "{} since it is wet", "Likely {} or so",
     "Select {} please", "**{}** it is", "{}/", "D is wrong, it is {}.", "{} is it, D is not."],
)  # fmt: skip
def test_an_option_is_found_whichever_letter_it_has(text: str) -> None:
    # "A" is an article too; missed more often than B, it would bias accuracy by position.
    assert [read(text.format(label), COLORS, "letter").option for label in "ABC"] == [0, 1, 2]


@pytest.mark.parametrize("text", ["A man stands there.", "I see a house."])
def test_words_that_are_letters_too_are_no_labels(text: str) -> None:
    many = tuple(f"word {i}" for i in range(10))
    assert read(text, many, "letter").option is None


def test_a_mention_counts_up_to_the_stated_length() -> None:
    words = " ".join(["word"] * (RAMBLING - 1))
    assert read(f"{words} red", COLORS, "letter").rule == "mentioned"
    assert read(f"{words} word red", COLORS, "letter").rule == "rambling"


def test_long_replies_are_read_in_no_time() -> None:
    for text in ("A or " * 20_000, "the answer is " * 20_000, "<ANSWER>" * 20_000, "((" * 50_000):
        read(text, COLORS, "letter")
        free(text)


def test_replies_that_break_off_in_white_space_are_read_in_no_time() -> None:
    begun = time.monotonic()
    for text in ("Answer", "The answer is", "so the", "option", "A"):
        for blank in ("\n", " ", " \n\t"):
            read(f"{text}{blank * 2_000}x", COLORS, "letter")
            free(f"{text}{blank * 2_000}x")
    assert time.monotonic() - begun < 5


# --------------------------------------------------------------------------------- free answers


@pytest.mark.parametrize(
    ("text", "given", "how"),
    [
        ("two dogs", "two dogs", "whole"),
        ("**two dogs**", "two dogs", "whole"),
        ("The answer is two dogs.", "two dogs.", "announced"),
        ("I look closely.\nAnswer: two dogs\nBecause I see them.", "two dogs", "announced"),
        (chain("two dogs"), "two dogs", "tag"),
        ("<ANSWER>two dogs<ANSWER_END>", "two dogs", "tag"),
        ("<ANSWER>a<ANSWER_END><ANSWER>b<ANSWER_END>", "", "tag_conflict"),
        ("<think>two", "", "unfinished"),
        ("", "", "empty"),
    ],
)
def test_free_answers_are_found(text: str, given: str, how: str) -> None:
    assert free(text) == (given, how)


def test_free_answers_are_compared_without_articles_case_and_marks() -> None:
    assert same_free("The two dogs.", "2 Dogs")
    assert same_free("a horse", "horse")
    assert not same_free("horses", "horse")
    assert not same_free("", "")
    assert not same_free("the", "the")
    assert same_free("A.", "a")  # the letter, where it is all that is said
    assert not same_free("-5", "5")
    assert same_free("5-10", "5 10")


def test_references_count_as_in_vqa() -> None:
    people = ("red", "red", "red", "dark red", "blue", "blue", "wine", "wine", "wine", "wine")
    assert free_score("Red.", "red", people) == 1.0
    assert free_score("blue", "red", people) == pytest.approx(2 / 3)
    assert free_score("green", "red", people) == 0.0
    assert free_score("red", "blue", ("red",)) == 1.0
    assert free_score("red", "blue", ()) == 0.0


def test_refusals_in_words_are_known() -> None:
    assert declines("I'm sorry, but I can't assist with that.")
    assert declines("I\u2019m unable to view images.")
    assert not declines("The sign says no parking.")
