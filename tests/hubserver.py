"""A loopback Hub: the endpoints by which `huggingface_hub` and `datasets` write and read.

It keeps repositories of data sets in memory, checks what a Hub checks (token, size and digest of
what is uploaded, the card's YAML) and fails as told. What it has no answer to is a test's failure.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.hubstate import OWNER, Blob, HubServer, Repo

TOKEN = "hf_loopbackTOKENneverPrinted"
_LARGE = 10_000  # bytes from which a file goes to LFS; 10 MB on the Hub
_PAGE = 5  # files per page of a listing; 1000 on the Hub


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer would wait for the client to acknowledge
    hub: HubServer
    mute = False

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, value: Any, code: int = 200, headers: dict[str, str] | None = None) -> None:
        if self.mute:
            return
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(code)
        for name, text in (headers or {}).items():
            self.send_header(name.replace("_", "-"), text)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(data)))
        if not isinstance(value, bytes):
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_any(self) -> None:
        self.mute = False
        path = urlsplit(self.path).path
        with self.hub.lock:
            self.hub.requests.append(f"{self.command} {path}")
        planned = self.hub.fault(self.command, path)
        if planned:
            planned.act(self)
        else:
            self.dispatch()

    do_GET = do_POST = do_PUT = do_HEAD = handle_any  # noqa: N815

    def dispatch(self) -> None:
        url = urlsplit(self.path)
        for method, pattern, function in ROUTES:
            match = pattern.fullmatch(unquote(url.path))
            if match and self.command in method.split():
                function(self, *match.groups(), **_flat(parse_qs(url.query)))
                return
        self.hub.unanswered.append(f"{self.command} {self.path}")
        self.body()
        self.answer({"error": "no such endpoint"}, 404)

    def allowed(self, repo: str = "") -> bool:
        """Whether the token is right (and may write to a repository); answers where it is not."""
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            message = "Invalid credentials in Authorization header"
            self.answer({"error": message}, 401, {"X-Error-Message": message})
            return False
        if repo and repo.partition("/")[0] not in self.hub.writers:
            self.answer({"error": "You don't have the rights"}, 403)
            return False
        return True

    def repo(self, name: str) -> Repo | None:
        found = self.hub.repos.get(name)
        if found is None:
            self.answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        return found


def _flat(query: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[0] for name, values in query.items()}


def unknown(h: Handler) -> None:
    """What the client can do without: a list by which it names itself."""
    h.answer({"error": "none"}, 404)


def whoami(h: Handler) -> None:
    if h.allowed():
        h.answer({"type": "user", "name": OWNER, "orgs": []})


def create(h: Handler) -> None:
    asked = json.loads(h.body())
    name = f"{asked.get('organization') or OWNER}/{asked['name']}"
    if not h.allowed(name):
        return
    url = f"{h.hub.url}/datasets/{name}"
    if name in h.hub.repos:
        h.answer({"error": "You already created this dataset repo", "url": url}, 409)
        return
    private = asked.get("visibility") == "private" or bool(asked.get("private"))
    h.hub.repos[name] = Repo(private, {".gitattributes": Blob(b"*.parquet filter=lfs\n", False)})
    h.answer({"url": url, "name": name, "id": name})


def validate(h: Handler) -> None:
    found = re.match(r"---\n(.*?)\n---\n", json.loads(h.body())["content"], re.DOTALL)
    try:
        card = yaml.safe_load(found[1]) if found else {}
        problems = [] if isinstance(card, dict) else ["front matter is no mapping"]
        known = isinstance(card.get("license"), str | list)
        problems += [] if known else ['"license" must be a string or a list']
        ready = all(c["data_files"] for c in card.get("configs", []))
        problems += [] if ready else ['"configs" need "data_files"']
    except (yaml.YAMLError, KeyError, AttributeError) as error:
        problems = [str(error)]
    errors = [{"message": problem} for problem in problems]
    h.answer({"errors": errors, "warnings": []}, 400 if errors else 200)


def preupload(h: Handler, name: str, revision: str) -> None:
    asked = json.loads(h.body())["files"]
    repo = h.repo(name) if h.allowed(name) else None
    if repo is None:
        return
    files = []
    for file in asked:
        held = repo.files.get(file["path"])
        large = file["size"] > _LARGE or file["path"].endswith((".parquet", ".png"))
        files.append(
            {
                "path": file["path"],
                "uploadMode": "lfs" if large else "regular",
                "shouldIgnore": False,
                "oid": (held.sha256 if held.lfs else held.oid) if held else None,
            }
        )
    h.answer({"files": files})


def batch(h: Handler, name: str) -> None:
    asked = json.loads(h.body())
    if not h.allowed(name):
        return
    objects = []
    for item in asked["objects"]:
        told: dict[str, Any] = {"oid": item["oid"], "size": item["size"]}
        if item["oid"] not in h.hub.objects:
            href, header = f"{h.hub.url}/lfs/{item['oid']}", {}
            if h.hub.chunk:
                parts = -(-item["size"] // h.hub.chunk)
                header = {"chunk_size": str(h.hub.chunk)}
                header |= {str(i + 1): f"{href}/part/{i + 1}" for i in range(parts)}
                href += "/complete"
            verify = {"href": f"{h.hub.url}/lfs/{item['oid']}/verify"}
            told["actions"] = {"upload": {"href": href, "header": header}, "verify": verify}
        objects.append(told)
    h.answer({"transfer": "multipart" if h.hub.chunk else "basic", "objects": objects})


def put(h: Handler, oid: str) -> None:
    data = h.body()
    h.hub.puts.append(len(data))
    if hashlib.sha256(data).hexdigest() != oid:
        h.answer({"error": "the content has another digest"}, 400)
        return
    h.hub.objects[oid] = data
    h.answer(b"")


def put_part(h: Handler, oid: str, number: str) -> None:
    data = h.body()
    h.hub.puts.append(len(data))
    h.hub.multipart.setdefault(oid, {})[int(number)] = data
    h.answer(b"", headers={"ETag": f'"{hashlib.md5(data).hexdigest()}"'})


def complete(h: Handler, oid: str) -> None:
    asked = json.loads(h.body())["parts"]
    parts = h.hub.multipart.pop(oid)
    data = b"".join(parts[p["partNumber"]] for p in asked)
    good = hashlib.sha256(data).hexdigest() == oid
    if good:
        h.hub.objects[oid] = data
    h.answer({"ok": good}, 200 if good else 400)


def verify(h: Handler, oid: str) -> None:
    asked = json.loads(h.body())
    good = len(h.hub.objects.get(oid, b"")) == asked["size"]
    h.answer({"ok": good}, 200 if good else 400)


def commit(h: Handler, name: str, revision: str) -> None:
    lines = [json.loads(line) for line in h.body().splitlines()]
    repo = h.repo(name) if h.allowed(name) else None
    if repo is None:
        return
    files, said = dict(repo.files), {"summary": "", "paths": [], "deleted": []}
    for line in lines:
        value = line["value"]
        match line["key"]:
            case "header":
                said["summary"] = value["summary"]
            case "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), False)
                said["paths"].append(value["path"])
            case "lfsFile":
                if value["oid"] not in h.hub.objects:
                    h.answer({"error": f"object {value['oid']} was not uploaded"}, 400)
                    return
                files[value["path"]] = Blob(h.hub.objects[value["oid"]], True)
                said["paths"].append(value["path"])
            case "deletedFile":
                del files[value["path"]]
                said["deleted"].append(value["path"])
    repo.files = files
    repo.commits.append(said)
    url = f"{h.hub.url}/datasets/{name}/commit/{repo.head}"
    h.answer({"commitUrl": url, "commitOid": repo.head, "hookOutput": ""})


def _folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": "0" * 40}


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(blob.data), "oid": blob.oid}
    if blob.lfs:
        entry["lfs"] = {"oid": blob.sha256, "size": len(blob.data), "pointerSize": 130}
    return entry


def tree(
    h: Handler,
    name: str,
    revision: str,
    path: str | None = None,
    *,
    recursive: str = "",
    cursor: str = "0",
    **_: str,
) -> None:
    repo = h.repo(name)
    if repo is None:
        return
    prefix = f"{path}/" if path else ""
    entries, folders = [], set()
    for file, blob in sorted(repo.files.items()):
        if file.startswith(prefix):
            first, _, rest = file[len(prefix) :].partition("/")
            if rest and prefix + first not in folders:
                folders.add(prefix + first)
                entries.append(_folder(prefix + first))
            if not rest or recursive.casefold() in {"true", "1"}:
                entries.append(_entry(file, blob))
    if not entries and path:
        h.answer({"error": "no such folder"}, 404, {"X-Error-Code": "EntryNotFound"})
        return
    start = int(cursor)
    headers = {}
    if start + _PAGE < len(entries):
        base = f"{h.hub.url}{urlsplit(h.path).path}?recursive={recursive or 'False'}"
        headers["Link"] = f'<{base}&cursor={start + _PAGE}>; rel="next"'
    h.answer(entries[start : start + _PAGE], headers=headers)


def paths_info(h: Handler, name: str, revision: str) -> None:
    raw = h.body()
    try:
        asked = json.loads(raw)["paths"]
    except ValueError:
        asked = parse_qs(raw.decode())["paths"]
    repo = h.repo(name)
    if repo is None:
        return
    folders = [p for p in asked if any(f.startswith(f"{p}/") for f in repo.files)]
    found = [_entry(p, repo.files[p]) for p in asked if p in repo.files]
    found += map(_folder, folders)
    h.answer(found)


def info(h: Handler, name: str, revision: str | None = None, **_: str) -> None:
    if repo := h.repo(name):
        siblings = [{"rfilename": path} for path in sorted(repo.files)]
        h.answer({"_id": "0", "id": name, "sha": repo.head, "private": repo.private, "tags": [],
                  "siblings": siblings, "gated": False, "disabled": False, "downloads": 0,
                  "likes": 0})  # fmt: skip


def resolve(h: Handler, name: str, revision: str, path: str, **_: str) -> None:
    repo = h.repo(name)
    if repo is None:
        return
    blob = repo.files.get(path)
    if blob is None:
        h.answer({"error": "no such file"}, 404, {"X-Error-Code": "EntryNotFound"})
        return
    data, code = blob.data, 200
    headers = {"ETag": f'"{blob.sha256 if blob.lfs else blob.oid}"', "X-Repo-Commit": repo.head}
    headers["Accept-Ranges"] = "bytes"
    if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", h.headers.get("Range", "")):
        last = int(wanted[2] or len(data) - 1)
        headers["Content-Range"] = f"bytes {wanted[1]}-{last}/{len(data)}"
        data, code = data[int(wanted[1]) : last + 1], 206
    headers["Content-Length"] = str(len(data))
    h.answer(data, code, headers)


_NAME = r"([\w.-]+/[\w.-]+)"
ROUTES: list[tuple[str, re.Pattern[str], Callable[..., None]]] = [
    (method, re.compile(pattern), function)
    for method, pattern, function in (
        ("GET", "/api/whoami-v2", whoami),
        ("GET", "/api/agent-harnesses", unknown),
        ("POST", "/api/repos/create", create),
        ("POST", "/api/validate-yaml", validate),
        ("POST", f"/api/datasets/{_NAME}/preupload/(.+)", preupload),
        ("POST", f"/datasets/{_NAME}[.]git/info/lfs/objects/batch", batch),
        ("PUT", "/lfs/([0-9a-f]{64})", put),
        ("PUT", "/lfs/([0-9a-f]{64})/part/([0-9]+)", put_part),
        ("POST", "/lfs/([0-9a-f]{64})/complete", complete),
        ("POST", "/lfs/([0-9a-f]{64})/verify", verify),
        ("POST", f"/api/datasets/{_NAME}/commit/([^/]+)", commit),
        ("GET", f"/api/datasets/{_NAME}/tree/([^/]+)(?:/(.+))?", tree),
        ("POST", f"/api/datasets/{_NAME}/paths-info/([^/]+)", paths_info),
        ("GET", f"/api/datasets/{_NAME}(?:/revision/([^/]+))?", info),
        ("GET HEAD", f"/datasets/{_NAME}/resolve/([^/]+)/(.+)", resolve),
    )
]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that a fault has closed are no news."""


@contextmanager
def hub() -> Iterator[HubServer]:
    """A server on a free port, for the duration of a test."""
    state = HubServer()
    server = _Server(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": state}))
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
