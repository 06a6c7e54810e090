"""Which test shows what is done about each fault, and the faults that no other file has.

Fault: test.

- 429 with Retry-After in seconds, ms, date: test_chat_faults one_retry_after_holds_all_workers,
  retry_after_in_all_its_forms, concurrency_is_bounded_and_halved_when_told_to_slow_down
- no quota, 401, 403, unknown model: test_chat_faults what_dooms_all_requests_stops_the_run;
  test_annotate_stop what_dooms_every_request_ends_with_a_message
- 400, context overflow: test_chat_faults a_refused_request_is_its_own_fault_unless_all_are;
  test_annotate no_fault_loses_or_duplicates_a_row
- 5xx, 408, 409, reset, HTML, empty or huge body: test_chat_faults
  transient_faults_are_retried_and_every_attempt_is_on_the_bill, a_burst_of_failures_counts_once
- no server, DNS: test_chat_faults no_server_stops_the_run_soon_and_costs_nothing,
  a_server_that_goes_away_is_waited_for
- timeout: test_chat_faults a_timeout_may_have_been_paid_for
- torn JSON, wrong schema, extra text: test_annotate no_fault_loses_or_duplicates_a_row,
  test_annotate_stages an_object_is_found_in_whatever_a_model_says_around_it
- cut off, refused, filtered: here
- no choices, null content, no usage: test_chat missing_usage_is_estimated_and_says_so,
  empty_completions_are_paid_for_and_asked_for_once_more
- contradiction: test_annotate a_contradiction_is_told_to_the_model_and_retried; the kinds of it in
  test_annotate_checks
- duplicate rows: test_chat nothing_is_bought_twice; an id with two questions: test_annotate
  wrong_questions_are_refused_by_line
- kill -9, two processes on one journal: test_chat_crashes kill_9_loses_at_most_what_was_in_flight
- SIGINT, SIGTERM: test_annotate_stop, test_chat_crashes stopping_drains_and_leaves_no_orphans
- disk full: test_chat_crashes a_full_disk_stops_before_anything_paid_is_lost,
  test_annotate_stop a_full_disk_ends_with_a_message_and_goes_on_when_there_is_room
- picture gone, broken, changed: test_annotate rows_whose_pictures_are_gone_are_kept_as_failed,
  a_picture_that_changed_never_returns_an_old_answer; CMYK, 16 bit, WebP, rotated by EXIF: here
- batches, crashes between their steps, expired, partial, reordered: test_chat_batch
- the clock jumps: test_chat_faults the_pace_is_kept
- no price: test_chat a_bounded_cost_needs_a_price
- instructions and tags in a row: test_annotate tags_and_instructions_in_a_row_cannot_break_a_chain
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate.testing.faultserver import FaultServer, serving
from degrade import recipe
from degrade.executor import Options, Synth
from tests.test_annotate import KEY, Model, annotated, chains, made, write_questions


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_an_answer_that_was_cut_off_is_asked_for_with_more_room(tmp_path: Path) -> None:
    made(tmp_path, 1)
    model = Model(tmp_path)
    write_questions(tmp_path, 1, row0="#fault=length*1")
    with serving(FaultServer(model)) as server:
        annotated(tmp_path, server)
    assert [a.status for a in chains(tmp_path / "chains")] == ["ok"]
    asked: dict[str, list[int]] = {}
    for body in server.bodies:
        (room,) = (v for k, v in body.items() if k.startswith("max") and k.endswith("tokens"))
        asked.setdefault(json.dumps(body["messages"]), []).append(room)
    (cut,) = (rooms for rooms in asked.values() if len(rooms) > 1)
    assert len(cut) == 2
    assert cut[1] >= 1.5 * cut[0]


@pytest.mark.parametrize("fault", ["refusal", "filter"])
def test_a_refusal_is_not_answered_by_the_same_words(tmp_path: Path, fault: str) -> None:
    made(tmp_path, 1)
    model = Model(tmp_path)
    write_questions(tmp_path, 1, row0=f"#fault={fault}*1")
    with serving(FaultServer(model)) as server:
        annotated(tmp_path, server)
    row = chains(tmp_path / "chains")[0]
    assert (row.status, row.attempts) == ("ok", 2)
    assert len({json.dumps(b["messages"]) for b in server.bodies}) == len(server.bodies)


def odd_pictures(folder: Path) -> dict[str, tuple[int, int]]:
    """Pictures of kinds that a model's endpoint may not read; their upright sizes."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    rgb = Image.fromarray(rng.integers(0, 256, (48, 80, 3), np.uint8))
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    rgb.save(folder / "webp.webp")
    deep = rng.integers(0, 65536, (48, 80), np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    rgb.save(folder / "exif.jpg", exif=exif)
    return dict.fromkeys(("cmyk.jpg", "webp.webp", "deep.png"), (80, 48)) | {"exif.jpg": (48, 80)}


def test_pictures_of_any_kind_are_sent_as_whole_upright_jpegs(tmp_path: Path) -> None:
    sizes = odd_pictures(tmp_path / "src")
    Synth(tmp_path / "src", tmp_path / "run", recipe.load("robust-r1"), 0, Options()).run()
    names = sorted(sizes)
    write_questions(tmp_path, len(names))
    path = tmp_path / "questions.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    given = [line | {"id": name} for line, name in zip(lines, names, strict=True)]
    path.write_text("".join(json.dumps(line) + "\n" for line in given))
    with serving(FaultServer(Model(tmp_path))) as server:
        annotated(tmp_path, server)
    assert [a.status for a in chains(tmp_path / "chains")] == ["ok"] * len(names)
    seen = set()
    for body in server.bodies:
        words = json.dumps(body)
        content = body["messages"][0]["content"]
        for part in content if isinstance(content, list) else ():
            if part["type"] != "image_url":
                continue
            head, _, data = part["image_url"]["url"].partition(",")
            assert head == "data:image/jpeg;base64"
            with Image.open(io.BytesIO(base64.b64decode(data))) as image:
                image.load()  # whole
                assert image.mode == "RGB"
                assert not image.getexif()
                number = next((i for i in range(len(names)) if f"id={i}#" in words), None)
                if number is not None:
                    assert image.size == sizes[names[number]]
                    seen.add(number)
    assert seen == set(range(len(names)))
