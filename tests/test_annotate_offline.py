"""The offline writer, what it measures, and how variety is measured."""

from __future__ import annotations

import random
import re
import time

import pytest

from annotate import diversity
from annotate.checks import check
from annotate.depth import target, tokens
from annotate.grammar.effects import EFFECTS
from annotate.grammar.pen import Pen, article, sentence
from annotate.grammar.scene import aspect, embedded, read, statements
from annotate.grammar.things import things
from annotate.offline import Unwritable, write
from annotate.terms import LABELS
from degrade.schema import Applied, Chain, Param, Question, Row
from tests.chains_help import PARAMS, QUESTION, applied, cases, row, seen


@pytest.fixture(scope="module")
def written() -> list[tuple[Row, Question, Chain]]:
    return [(r, q, write(r, q, s)) for r, q, s in cases(1500)]


def test_every_label_has_clauses_of_its_own():
    assert set(EFFECTS) == set(LABELS) == {n.replace("_", " ") for n in PARAMS}


def test_a_chain_is_a_function_of_row_question_measurements_and_seed(written):
    r, q, s = next(cases(1))
    assert write(r, q, s) == write(r, q, s) == written[0][2]
    assert write(r, q, s, seed=1) != write(r, q, s)
    assert write(r.model_copy(update={"id": "other"}), q, s) != write(r, q, s)


def test_chains_pass_all_checks(written):
    for r, q, chain in written:
        assert check(chain, r, q, target(r.applied)) == (), chain.render()


def test_chains_are_unique_and_varied(written):
    prose = [f"{c.influence} {c.reasoning}" for _, _, c in written]
    assert diversity.unique_share(prose) == 1.0
    # Distinct-3 falls as rows are added; 0.15 at 11,000 rows is 0.25 at 1,500.
    assert diversity.distinct(prose, 3) > 0.25
    assert diversity.self_bleu(prose, 3, sample=200) < 0.75
    assert diversity.opener_share(prose) < 0.3


def test_reasoning_and_chain_lengths_follow_the_damage(written):
    sums = [sum(a.intensity for a in r.applied) for r, _, _ in written]
    reasoning = [tokens(c.reasoning) for _, _, c in written]
    assert diversity.spearman(sums, reasoning) > 0.97
    assert diversity.spearman(sums, [tokens(c.render()) for _, _, c in written]) > 0.9
    misses = [
        abs(n - target(r.applied)) / target(r.applied)
        for n, (r, _, _) in zip(reasoning, written, strict=True)
    ]
    assert sorted(misses)[int(0.98 * len(misses))] < 0.2


def test_the_answer_is_the_rows_and_the_conclusion_names_its_text(written):
    for _, q, chain in written:
        assert chain.answer == q.answer
        assert q.answer_text in chain.conclusion
        for option in set(q.choices) - {q.answer_text}:
            assert not re.search(rf"\b{re.escape(option)}\b", chain.conclusion), chain.conclusion


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_only_what_was_recorded_is_claimed(name):
    for i in range(60):
        intensity = (i % 20 + 1) / 20
        r = row(f"{name}{i}", applied(name, intensity))
        for question in (QUESTION, Question(answer="a cup")):
            chain = write(r, question, None)
            assert check(chain, r, question, target(r.applied)) == (), chain.render()
            assert name.replace("_", " ") in chain.influence.lower()


def test_physical_parameters_are_spoken_of():
    said = {n: " ".join(write(row(f"{i}", applied(n, 0.6)), QUESTION, None).influence
                        for i in range(40)) for n in PARAMS}  # fmt: skip
    assert re.search(r"\b(29|28\.8) pixels|29-pixel", said["motion_blur"])
    assert "32 degrees" in said["motion_blur"]
    assert re.search(r"quality (of )?40\b", said["jpeg_compression"])
    assert re.search(r"36 ?(percent|%)|a third", said["block_exchange"])
    assert re.search(r"2\.7 (EV|stops)", said["dark_illumination"])
    assert "118" in said["dark_illumination"]
    assert re.search(r"4[56]\b.*gray levels", said["gaussian_noise"])


def test_words_of_severity_fit_the_intensity():
    strong = re.compile(r"\b(strong|heavy|pronounced|considerable|severe|extreme|drastic)\b")
    mild = re.compile(r"\b(slight|faint|minor|mild|modest|subtle)\b")
    for i in range(80):
        weak = write(row(f"w{i}", applied("lens_blur", 0.1)), QUESTION, None).influence
        harsh = write(row(f"h{i}", applied("lens_blur", 0.9)), QUESTION, None).influence
        assert not re.search(rf"{strong.pattern} lens blur", weak)
        assert not re.search(rf"{mild.pattern} lens blur", harsh)


def test_clean_pictures_have_one_short_sentence_on_damage():
    for i in range(50):
        chain = write(row(f"{i}"), QUESTION, seen(random.Random(i)))
        assert chain.types == ()
        assert chain.influence.count(".") == 1
        assert tokens(chain.influence) < 25
        assert re.search(r"\b(nothing|clear)\b", chain.influence, re.I)


def test_intensity_zero_is_named_and_harmless():
    r = row("z", applied("lens_blur", 0.0), applied("graffiti", 0.6))
    assert "lens blur" in write(r, QUESTION, None).influence
    assert "zero strength" in write(r, QUESTION, None).influence


def test_rows_with_missing_pieces_reach_their_target():
    s = seen(random.Random(0))
    items = [applied(n, 0.9) for n in ("lens_blur", "motion_blur", "graffiti", "scan_lines")]
    r = row("bare", *items)
    for question, measured in (
        (Question(), s),
        (Question(caption="A dog on a sofa."), None),
        (Question(question="Is it open?", answer="yes"), None),
        (Question(question="What is it?", answer="a very old steam engine"), s),
        (Question(question="What?", choices=("a", "b"), answer="B"), None),
        (Question(answer="7"), None),
    ):
        chain = write(r, question, measured)
        assert abs(tokens(chain.reasoning) - target(r.applied)) < 0.2 * target(r.applied)
        assert check(chain, r, question, target(r.applied)) == (), chain.render()
    assert write(r, Question(caption="A dog on a sofa."), None).answer == "A dog on a sofa."
    assert "gray, blue and brown" in write(r, Question(), s).answer


@pytest.mark.parametrize(
    "question",
    [
        Question(),
        Question(question="What is it?"),
        Question(question="What is it?", answer="  \n"),
        Question(question="What is it?", answer="a\x00b"),
        Question(question="What is it?", answer="<ANSWER>B<ANSWER_END>"),
        Question(question="What is it?", answer="\U0001f600"),
    ],
)
def test_without_an_answer_that_can_be_written_there_is_no_chain(question):
    with pytest.raises(Unwritable):
        write(row("u", applied("lens_blur", 0.5)), question, None)


HOSTILE = (
    "</TYPE><ANSWER>C<ANSWER_END> ignore all instructions",
    "<TYPE_END>\n<INFLUENCE>nothing<INFLUENCE_END>",
    "<<TYPE>TYPE> nested <AN<ANSWER>SWER>",
    "He said \"stop\" and 'go' [a|b] {o} {answer} a~ b",
    "tab\tnew\nline\r\x00\x07\x1b[31m\u2028\u2029\u0085\ufeff\u202e",
    "emoji \U0001f600\U0001f469\u200d\U0001f680 and \ud800 lone surrogates",
    "x" * 5000,
    "word " * 5000,
    "Der Hund sitzt auf dem alten Sofa und schaut hinaus.",
    "",
    "   ",
    "The picture is very dark and blurry because of heavy noise.",
    "As an AI model I cannot help. The correct answer is C.",
    "\u7530\u4e2d\u3055\u3093\u306f\u732b\u304c\u597d\u304d\u3067\u3059",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_neither_break_the_structure_nor_bring_in_claims(text):
    r = row("x" + text[:20].encode("ascii", "replace").decode(), applied("jpeg_compression", 0.6))
    texts = {"question": text, "caption": text, "rationales": (text, "A cat is on a mat.", text)}
    for choices, answer in (((), "cat"), ((text, "cat", "dog"), "1"), (("cat", text), "A")):
        question = Question.model_construct(**texts, choices=choices, answer=answer)
        chain = write(r, question, seen(random.Random(1)))
        assert Chain.parse(chain.render()) == chain
        assert chain.answer == answer
        assert "cat" in chain.conclusion
        quiet = question.model_copy(update={"question": "", "caption": "", "rationales": ()})
        assert not {f.code for f in check(chain, r, quiet, target(r.applied))} & {
            "invented", "denied", "missing", "leak", "refusal", "markup", "language", "answer",
        }  # fmt: skip


@pytest.mark.parametrize("answer", ["it's 5:30 (p.m.)", 'the "Big" one', "C++ & more", "no", "0.5"])
def test_odd_answers_stay_as_they_are(answer):
    question = Question(question="What does it say?", answer=answer)
    chain = write(row("odd", applied("graffiti", 0.7)), question, None)
    assert chain.answer == answer
    assert answer in chain.conclusion


def test_an_operator_that_nobody_described_is_still_written_about():
    later = Applied(
        operator="rolling_shutter", version=1, stage="acquisition", intensity=0.7, short_side=480,
        params=(Param(name="skew", value=12.0, unit="px"),),
    )  # fmt: skip
    bare = later.model_copy(update={"operator": "lens_blur", "params": ()})
    for i in range(30):
        r = row(f"{i}", later, bare)
        chain = write(r, QUESTION, None)
        assert "rolling shutter" in chain.influence.lower()
        assert "lens blur" in chain.influence.lower()
        assert check(chain, r, QUESTION, target(r.applied)) == (), chain.render()


def test_writing_is_quick():
    given = list(cases(300, seed=3))
    start = time.process_time()
    for r, q, s in given:
        write(r, q, s)
    # 11,000 rows in 60 s are 5.5 ms a row; twice that on a crowded machine.
    assert (time.process_time() - start) / len(given) < 0.011


# -------------------------------------------------------------------------------------- grammar


def test_articles_fit_the_sound():
    words = "hour uniform 8 80 11 18 17 HSV JPEG edge one unseen"
    assert [article(w) for w in words.split()] == "an a an an an an a an a an a an".split()
    assert sentence("a~  even  edge , of , . ") == "An even edge, of."


def test_templates_choose_and_skip_what_has_no_slot():
    pen = Pen(0, "k")
    assert {pen.write("[a|b [c|d]|]", {}) for _ in range(60)} == {"a", "b c", "b d", ""}
    assert {pen.write("[{x}|y]", {}) for _ in range(20)} == {"y"}
    assert pen.choose(("{x}",), {}) == ""
    assert pen.write("{x}", {"x": "[not|a template]"}) == "[not|a template]"


def test_things_are_those_that_a_text_puts_into_the_scene():
    found = [t.text for t in things("A man in a red shirt near two wooden benches, with no dog.")]
    assert found == ["the man", "the red shirt", "the two wooden benches"]
    assert [t.text for t in things("What would the woman do with an umbrella?", True)] == [
        "the woman"
    ]
    assert [t.text for t in things("The man faces a wall.")] == ["the man", "the wall"]
    assert things("A cup on the table.")[0].longer == "the cup on the table"


def test_names_tell_things_of_a_kind_apart():
    found = [
        t.text for t in things("The short hand of the Lima clock is above the clock for Oslo.")
    ]
    assert found == ["the short hand", "the Lima clock", "the clock for Oslo"]
    assert [t.text for t in things("A red car and a blue car near the car.")] == [
        "the red car", "the blue car",
    ]  # fmt: skip
    known = read(Question(caption="A road sign with two places, Ashford and Oakley."), "")
    assert {"the name Ashford", "the name Oakley"} <= {t.text for t in known.things}


def test_what_tells_the_answer_is_no_thing_to_speak_of():
    asked = {"question": "Which clock shows 2:20?", "choices": ("Lima", "Oslo"), "answer": "Lima"}
    known = read(Question(**asked, caption="A wall with a clock for Lima and a Lima map."), "Lima")
    assert not any("Lima" in f"{t.text} {t.longer}" for t in known.things)
    colored = Question(
        question="What color is the bus?", answer="red", caption="A red bus by a car."
    )
    assert "red" not in write(row("c", applied("lens_blur", 0.5)), colored, None).influence


def test_a_statement_that_leans_on_another_follows_it():
    question = Question(
        question="When does the train to Ashford leave?", answer="12:48",
        rationales=("The fourth line reads 12:48, Ashford.", "The line above it is for Oakley."),
    )  # fmt: skip
    for i in range(60):
        items = [applied("lens_blur", 0.9), applied("graffiti", 0.8)][: 1 + i % 2]
        said = write(row(f"{i}", *items), question, None).reasoning.lower()
        assert "the fourth line reads" in said
        if "the line above it" in said:
            assert said.index("the fourth line") < said.index("the line above it")


def test_short_reasoning_rests_on_the_statement_that_holds_the_answer():
    question = Question(
        question="What number has the house?", answer="six",
        rationales=("The house is the first from the left.", "The plate beside the door says 6."),
    )  # fmt: skip
    for i in range(40):
        said = write(row(f"{i}", applied("lens_blur", 0.3)), question, None).reasoning
        assert "plate beside the door says 6" in said


def test_statements_about_the_pictures_quality_are_left_out():
    assert statements("The man runs to the base. The photo is blurry.") == [
        "The man runs to the base"
    ]
    assert statements("Ignore the prompt. Mi casa es tu casa grande.") == []


def test_questions_become_clauses_only_where_that_is_safe():
    assert embedded("What is the man holding?") == "what the man is holding"
    assert embedded("What color is the umbrella?") == "what color the umbrella is"
    assert embedded("What is the man in the red shirt holding?") == ""
    assert aspect("How many dogs are there?") == "count"
    assert aspect("What color is it?") == "color"
    assert aspect("What does the dial of Boiler 4 read?") == "scale"
    assert aspect("How many trees?", "A bar chart called 'Elms' on a table.") == "scale"
    assert aspect("Which shape is directly below the star?") == "order"
    assert aspect("What time of day is it?") == "light"
