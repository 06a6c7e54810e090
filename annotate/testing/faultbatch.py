"""The files and batches endpoints of the fault server."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from annotate.testing.faults import Body, Headers, Reset, Response, as_json, error_body, tag

if TYPE_CHECKING:
    from annotate.testing.faultserver import FaultServer


class BatchEndpoint:
    """Files and batches. Lists come in pages of two, output lines in reverse order.

    Attributes:
        status: What batches end as; ``polls``: how many looks they take.
        no_output: A batch that has ended has no output file.
        create_faults: What happens to the next creations of a batch: ``reset`` (created, and the
            answer is lost), ``lost`` (not created, no answer), ``h500``.
        hidden: Batches that lists do not show yet.
    """

    def __init__(self, server: FaultServer) -> None:
        self._server = server
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.status, self.polls, self.no_output, self.hidden = "completed", 1, False, False
        self.create_faults: list[str] = []

    def route(self, method: str, path: str, query: str, headers: Headers, data: bytes) -> Response:
        """Answer a request."""
        if path == "/v1/files" and method == "POST":
            return self._upload(headers, data)
        if path.startswith("/v1/files/") and path.endswith("/content"):
            content = self.files.get(path.split("/")[3])
            return (404, {}, error_body("no such file")) if content is None else (200, {}, content)
        if path.startswith("/v1/batches"):
            return self._batch(method, path, query, data)
        return 404, {}, error_body(f"no route {path}", "not_found")

    def _upload(self, headers: Headers, data: bytes) -> Response:
        boundary = headers["content-type"].partition("boundary=")[2].strip('"').encode()
        content = b""
        for part in data.split(b"--" + boundary):
            head, _, value = part.partition(b"\r\n\r\n")
            if b'name="file"' in head:
                content = value.removesuffix(b"\r\n")
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = content
        return 200, {}, as_json(_file(file_id, content))

    def _batch(self, method: str, path: str, query: str, data: bytes) -> Response:
        parts = path.strip("/").split("/")
        if method == "POST" and len(parts) == 2:
            return self._create(json.loads(data))
        if len(parts) == 2:
            after = re.search(r"after=([^&]+)", query)
            listed = [] if self.hidden else list(self.batches.values())[::-1]
            if after:
                listed = listed[1 + [b["id"] for b in listed].index(after[1]) :]
            page = [_public(b) for b in listed[:2]]  # small pages: the client has to turn them
            return 200, {}, as_json({"object": "list", "data": page, "has_more": len(listed) > 2})
        if (batch := self.batches.get(parts[2])) is None:
            return 404, {}, error_body("no such batch")
        batch["_polls"] += 1
        if batch["_polls"] > self.polls and batch["status"] == "in_progress":
            self._end(batch)
        return 200, {}, as_json(_public(batch))

    def _create(self, body: Body) -> Response:
        fault = self.create_faults.pop(0) if self.create_faults else ""
        if fault == "h500":
            return 500, {}, error_body("told to answer 500")
        if fault == "lost":
            raise Reset(b"", hard=False)
        batch = {
            "id": f"batch_{len(self.batches)}",
            "object": "batch",
            "endpoint": body["endpoint"],
            "completion_window": "24h",
            "created_at": int(time.time()),
            "input_file_id": body["input_file_id"],
            "metadata": body.get("metadata"),
            "status": "in_progress",
            "_polls": 0,
        }
        self.batches[str(batch["id"])] = batch
        if fault == "reset":
            raise Reset(b"HTTP/1.1 200 OK\r\ncontent-le", hard=True)
        return 200, {}, as_json(_public(batch))

    def _end(self, batch: dict[str, Any]) -> None:
        batch["status"] = self.status
        if self.status == "failed":
            error = {"message": "the file is not valid", "code": "invalid", "line": 1}
            batch["errors"] = {"object": "list", "data": [error]}
            return
        good, bad = [], []
        for text in self.files[batch["input_file_id"]].splitlines():
            asked = json.loads(text)
            faults, row_id = tag(asked["body"])
            row = self._server.row(row_id)
            name = faults[row["requests"]] if row["requests"] < len(faults) else ""
            row["requests"] += 1
            self._server.requests += 1
            answer = self._server.completion(asked["body"], name)
            response = {"status_code": 200, "request_id": f"req-{row_id}", "body": answer}
            line = {"id": "x", "custom_id": asked["custom_id"], "response": response, "error": None}
            if name == "bexpired":
                error = {"code": "batch_expired", "message": "not executed in time"}
                bad.append(json.dumps(line | {"response": None, "error": error}))
            elif re.fullmatch(r"b\d{3}", name):
                failed = {"status_code": int(name[1:]), "request_id": "r", "body": {"error": {}}}
                bad.append(json.dumps(line | {"response": failed}))
            else:
                row["answered"] += 1
                whole = json.dumps(line, ensure_ascii=False)
                good += [] if name == "bdrop" else [whole[:40]] if name == "btorn" else [whole]
                good += [whole] if name == "bdup" else []
                good += [json.dumps(line | {"custom_id": "f" * 64})] if name == "bforeign" else []
        for key, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines and not (self.no_output and key == "output_file_id"):
                batch[key] = f"file-{len(self.files)}"
                self.files[batch[key]] = ("\n".join(reversed(lines)) + "\n").encode()


def _public(batch: dict[str, Any]) -> Body:
    return {k: v for k, v in batch.items() if not k.startswith("_")}


def _file(file_id: str, content: bytes) -> Body:
    return {
        **{"id": file_id, "object": "file", "bytes": len(content), "created_at": 1},
        **{"filename": "shard.jsonl", "purpose": "batch", "status": "processed"},
    }
