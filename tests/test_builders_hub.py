"""Publishing with the real client of the Hub, against a loopback server that fails as told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import close_session

from builders import hub as publishing
from builders.card import write_card
from builders.recipe_file import TABLE
from builders.table import ASSETS, CARD, DATA, INFO
from degrade.errors import StoppedError, UserError
from tests.dataset_help import licensed, small_dataset
from tests.hubserver import TOKEN, hub
from tests.hubstate import (
    HubServer,
    cut,
    gone,
    lost,
    no_token,
    others_repo,
    refused,
    status,
    wrong_token,
)

# The client hands files to its HTTP library in a way that this deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO = "me/small"
Push = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_dataset(tmp_path_factory.mktemp("built") / "small", rows=8)
    path = write_card(folder, "degrade-cli build dataset small.yaml OUT", REPO)
    path.write_text(path.read_text() + "Edited, so that it is not drawn anew for each test.\n")
    return folder


@pytest.fixture
def data(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "small"))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited between attempts; none are."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.fixture
def server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waits: list[float]
) -> Iterator[HubServer]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "none.json"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with hub() as running:
        yield running
        close_session()
        assert running.unanswered == []


@pytest.fixture
def push(server: HubServer) -> Push:
    return partial(publishing.push, endpoint=server.url)


def _local(folder: Path) -> dict[str, bytes]:
    paths = [folder / CARD, *(folder / DATA).iterdir(), *(folder / ASSETS).iterdir()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths}


def test_everything_is_published_the_card_last(data: Path, server: HubServer, push: Push) -> None:
    result = push(data, REPO, private=True)
    remote = server.held(REPO)
    assert _local(data).items() <= remote.items()
    names = {INFO, "recipe.yaml", "quarantine.jsonl", ".gitattributes"}
    assert set(remote) == names | set(_local(data))
    assert server.repos[REPO].private
    commits = [commit["paths"] for commit in server.repos[REPO].commits]
    assert INFO in commits[0]
    assert [CARD in paths for paths in commits] == [False] * (len(commits) - 1) + [True]
    assert result["url"] == f"{server.url}/datasets/{REPO}"
    assert result["bytes"] == sum(len(d) for p, d in remote.items() if p != ".gitattributes")


def test_the_second_time_nothing_is_sent(data: Path, server: HubServer, push: Push) -> None:
    push(data, REPO)
    puts, commits = len(server.puts), len(server.repos[REPO].commits)
    result = push(data, REPO)
    assert (len(server.puts), len(server.repos[REPO].commits)) == (puts, commits)
    assert {file["state"] for file in result["files"]} == {"there"}
    assert result["bytes"] == 0


def test_a_dry_run_names_every_file_and_sends_nothing(
    data: Path, server: HubServer, push: Push, capsys: pytest.CaptureFixture[str]
) -> None:
    result = push(data, REPO, dry_run=True)
    assert server.requests == []
    publishing.show(result)
    text = capsys.readouterr().out
    push(data, REPO)
    sent = {p: len(d) for p, d in server.held(REPO).items() if p != ".gitattributes"}
    assert {file["path"]: file["bytes"] for file in result["files"]} == sent
    assert all(path in text and f"{size:,}" in text for path, size in sent.items())
    assert REPO in text


def test_a_name_alone_is_the_owners(data: Path, server: HubServer, push: Push) -> None:
    (data / CARD).unlink()
    assert push(data, "small")["repo"] == REPO
    assert f'load_dataset("{REPO}")' in (data / CARD).read_text()


def test_where_the_pictures_came_from_on_this_machine_is_not_published(
    data: Path, server: HubServer, push: Push
) -> None:
    info = json.loads((data / INFO).read_bytes())
    info["settings"]["source"] = "/home/somebody/private"
    (data / INFO).write_text(json.dumps(info))
    push(data, REPO)
    assert not [p for p, d in server.held(REPO).items() if b"/home/somebody" in d]
    assert json.loads(server.held(REPO)[INFO])["fingerprint"] == info["fingerprint"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/repos/create"),
        ("GET", "/tree/"),
        ("POST", "/preupload/"),
        ("POST", "/objects/batch"),
        ("PUT", "/lfs/"),
        ("POST", "/verify"),
        ("POST", "/commit/"),
        ("POST", "/validate-yaml"),
    ],
)
@pytest.mark.parametrize("fault", [status(500), status(429, Retry_After="7"), cut, lost])
def test_a_server_that_fails_once_is_asked_again(
    data: Path,
    server: HubServer,
    push: Push,
    waits: list[float],
    method: str,
    path: str,
    fault: object,
) -> None:
    server.fail(method, path, fault)  # type: ignore[arg-type]
    push(data, REPO)
    assert _local(data).items() <= server.held(REPO).items()
    assert not [planned for planned in server.faults if planned.times], "the fault has happened"
    assert waits


def test_retry_after_is_waited_for(
    data: Path, server: HubServer, push: Push, waits: list[float]
) -> None:
    server.fail("POST", "/commit/", status(429, Retry_After="17"))
    push(data, REPO)
    assert any(17 <= wait <= 18 for wait in waits)


@pytest.mark.parametrize("fault", [status(503), cut])
def test_after_a_break_the_same_command_goes_on(
    data: Path, server: HubServer, push: Push, monkeypatch: pytest.MonkeyPatch, fault: object
) -> None:
    monkeypatch.setattr(publishing, "COMMIT_FILES", 2)
    server.fail("PUT", "/lfs/", fault, skip=3, times=10**6)  # type: ignore[arg-type]
    with pytest.raises(StoppedError, match="the same command"):
        push(data, REPO)
    assert CARD not in server.held(REPO), "without its card it is not finished"
    assert len(server.puts) == 3
    server.faults.clear()
    result = push(data, REPO)
    assert _local(data).items() <= server.held(REPO).items()
    assert len(server.puts) == len({len(d) for d in server.objects.values()}), "nothing went twice"
    assert {file["state"] for file in result["files"]} == {"sent", "there"}


def test_large_files_go_in_parts(data: Path, server: HubServer, push: Push) -> None:
    server.chunk = 20_000
    push(data, REPO)
    assert _local(data).items() <= server.held(REPO).items()
    assert max(server.puts) == 20_000


def test_commits_are_bounded(
    data: Path, server: HubServer, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "COMMIT_BYTES", 1)
    push(data, REPO)
    rows = [c["paths"] for c in server.repos[REPO].commits if c["paths"][0].startswith(f"{DATA}/")]
    assert [len(paths) for paths in rows] == [1] * 5


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        (no_token, "HF_TOKEN"),
        (wrong_token, "hf auth login"),
        (others_repo, "write access"),
        (gone, "knows no data set"),
        (refused, "refused"),
    ],
)
@pytest.mark.parametrize("name", [REPO, "small"])
def test_mistakes_are_explained_and_not_repeated(
    data: Path, server: HubServer, push: Push, monkeypatch: pytest.MonkeyPatch, waits: list[float],
    mistake: object, says: str, name: str,
) -> None:  # fmt: skip
    mistake(server, monkeypatch)  # type: ignore[operator]
    with pytest.raises(UserError, match=says) as caught:
        push(data, name)
    assert waits == []
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_server_that_keeps_failing_stops_the_run(
    data: Path, server: HubServer, push: Push, code: int
) -> None:
    server.fail("POST", "/commit/", status(code), times=10**6)
    with pytest.raises(StoppedError, match=str(code) if code != 429 else "asks to wait"):
        push(data, REPO)


def test_without_a_network_the_run_stops(
    data: Path, server: HubServer, push: Push, waits: list[float]
) -> None:
    with pytest.raises(StoppedError, match=r"no connection to http://127\.0\.0\.1:9"):
        push(data, REPO, endpoint="http://127.0.0.1:9")
    assert waits


@pytest.mark.parametrize("damage", [Path.unlink, Path.touch, lambda p: p.write_bytes(b"no rows")])
def test_half_a_data_set_is_not_published(
    data: Path, server: HubServer, push: Push, damage: Callable[[Path], object]
) -> None:
    for path in (data / DATA).iterdir():
        damage(path)
    if damage is Path.touch:  # whole files, and one too many
        shutil.copy(path, path.with_name("train-more.parquet"))
    with pytest.raises(UserError, match=r"holds \d+ rows, .* counts|cannot be read"):
        push(data, REPO)
    assert not server.repos


def test_the_token_is_nowhere(
    data: Path, server: HubServer, push: Push, capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    server.fail("PUT", "/lfs/", cut)
    server.fail("POST", "/commit/", status(500))
    result = push(data, REPO)
    publishing.show(result)
    (data / "recipe.yaml").write_text("name: other")
    server.fail("POST", "/preupload/", status(403, X_Error_Message=f"bad {TOKEN}"))
    with pytest.raises(UserError) as caught:
        push(data, REPO)
    said = "".join([*capfd.readouterr(), caplog.text, str(caught.value), json.dumps(result)])
    assert TOKEN not in said
    assert "bad ***" in said
    files = [p for folder in (data, data.parent) for p in folder.rglob("*") if p.is_file()]
    assert not [p for p in files if TOKEN.encode() in p.read_bytes()]
    assert not [p for p, content in server.held(REPO).items() if TOKEN.encode() in content]


def test_what_is_something_else_is_not_mixed_with(
    data: Path, server: HubServer, push: Push
) -> None:
    push(data, REPO)
    other = small_dataset(data.parent / "other", rows=4, name="other", choices=False)
    with pytest.raises(UserError, match="--overwrite"):
        push(other, REPO)
    remote = server.repos[REPO].files
    remote["LICENSE"] = remote["data/train_rl-00001-of-00002.parquet"] = remote[INFO]
    with pytest.raises(UserError, match="--overwrite"):
        push(data, REPO)
    result = push(other, REPO, overwrite=True)
    assert result["deleted"] == ["data/train_rl-00001-of-00002.parquet"]
    assert _local(other).items() <= server.held(REPO).items()
    assert "LICENSE" in server.held(REPO)
    server.repos["me/notes"] = type(server.repos[REPO])(False, {"notes.txt": remote[INFO]})
    with pytest.raises(UserError, match=r"notes\.txt"):
        push(data, "me/notes")


def test_an_edited_card_is_kept(data: Path, server: HubServer, push: Push) -> None:
    (data / CARD).unlink()
    assert push(data, REPO, command="degrade-cli demo OUT")["card"] == "written"
    assert push(data, REPO)["bytes"] == 0, "the card is the same again, command and all"
    edited = (data / CARD).read_text().replace("## Splits", "## Splits of mine")
    (data / CARD).write_text(edited)
    assert push(data, REPO)["card"] == "kept"
    assert server.held(REPO)[CARD].decode() == edited


def test_pictures_that_must_not_be_changed_are_not_published_but_their_recipe_is(
    data: Path, server: HubServer, push: Push
) -> None:
    licensed(data, "CC-BY-ND-4.0")
    with pytest.raises(UserError, match=r"14 rows of source 'drawn' .*--recipe-only"):
        push(data, REPO, accept_licenses=True)
    assert server.requests == []
    push(data, REPO, recipe_only=True)
    remote = server.held(REPO)
    plots = {f"{ASSETS}/intensities.png", f"{ASSETS}/operators.png"}
    others = {INFO, "recipe.yaml", "quarantine.jsonl", ".gitattributes"}
    assert set(remote) == others | plots | {CARD, TABLE}
    assert pq.read_table(pa.BufferReader(remote[TABLE])).num_rows == 14
    assert "cc-by-nd-4.0" in remote[CARD].decode()
    result = push(data, REPO, recipe_only=True)
    assert {file["state"] for file in result["files"]} == {"there"}


def test_licenses_that_do_not_say_enough_are_refused(
    data: Path, server: HubServer, push: Push
) -> None:
    licensed(data, "")
    with pytest.raises(UserError, match="drawn/0000") as caught:
        push(data, REPO)
    assert "'license' of the source" in str(caught.value)
    licensed(data, "other")
    with pytest.raises(UserError, match="--accept-licenses"):
        push(data, REPO)
    (data / CARD).unlink()
    push(data, REPO, accept_licenses=True)
    assert "license: other" in server.held(REPO)[CARD].decode()


READ_BACK = """
import sys
from datasets import get_dataset_config_names, get_dataset_split_names, load_dataset
from huggingface_hub import snapshot_download
repo, folder = sys.argv[1:]
print("configs", *sorted(get_dataset_config_names(repo)))
for config in get_dataset_config_names(repo):
    for split in get_dataset_split_names(repo, config):
        rows = load_dataset(repo, config, split=split)
        first = next(iter(load_dataset(repo, config, split=split, streaming=True)))
        image, clean = rows[0]["image"], rows[0]["clean_image"]
        assert image.size == clean.size == (96, 72), image.size
        assert first["id"] == rows[0]["id"] and first["chain"] == rows[0]["chain"]
        assert first["image"].tobytes() == image.tobytes() != clean.tobytes()
        print(config, split, len(rows))
print(snapshot_download(repo, repo_type="dataset", local_dir=folder))
"""


def test_what_was_published_is_read_back_by_datasets(
    data: Path, server: HubServer, push: Push, tmp_path: Path
) -> None:
    push(data, REPO)
    environment = os.environ | {
        "HF_ENDPOINT": server.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home"),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", READ_BACK, REPO, str(tmp_path / "copy")],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:-1] == [
        "configs default rl sft",
        "default train 8",
        "default validation 2",
        "default test_seen 2",
        "default test_unseen 2",
        "rl train 6",
        "sft train 2",
    ]
    copy = {p: (tmp_path / "copy" / p).read_bytes() for p in server.held(REPO)}
    assert copy == server.held(REPO)
