"""The llm writer against a server on loopback that answers at once: rows and requests a second.

    python benchmarks/annotate_loopback.py [--rows 300] [--concurrency 8 32] [--stages staged]

Pictures are the example photographs at 400x300, a pair a row, sent as JPEG. The server, in a
process of its own, says what the offline grammar would and needs 0.2 ms of a processor a request.
Processor seconds are the client's alone, its start and the import of ``openai`` among them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, get_args

from PIL import Image

from annotate import offline
from annotate.job import AnnotateOptions, annotate_run
from annotate.options import Stages
from annotate.rows import Rows
from annotate.testing.faults import prompt_of
from annotate.testing.faultserver import FaultServer
from degrade import recipe
from degrade.executor import Options, Synth
from degrade.schema import Chain

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
PARTS = ("influence", "reasoning", "conclusion")
KEY = "LOOPBACK_KEY"
_ROW = re.compile(r"number (\d+) stands")


def make(folder: Path, count: int) -> None:
    """A run with a question a row."""
    photos = sorted(PHOTOS.glob("*.jpg"))
    (folder / "src").mkdir()
    with (folder / "questions.jsonl").open("w") as file:
        for i in range(count):
            with Image.open(photos[i % len(photos)]) as opened:
                picture = opened.convert("RGB").resize((400, 300))
            picture.putpixel((i % 400, i // 400), (255, 0, i % 256))  # no two are the same
            picture.save(folder / "src" / f"{i:05d}.jpg", quality=92)
            item = {
                "id": f"{i:05d}.jpg",
                "question": f"Which object number {i} stands beside the road?",
                "choices": ("a stop sign", "a yield sign", "a speed limit", "a mailbox"),
                "answer": str(i % 4),
                "caption": "A road sign stands beside a quiet road near some trees.",
            }
            file.write(json.dumps(item) + "\n")
    Synth(folder / "src", folder / "run", recipe.load("robust-r1"), 0, Options()).run()


def serve(folder: Path) -> None:
    """Answer until killed; prints the base URL."""
    chains: dict[str, Chain] = {}
    clean = ""
    for item in Rows(folder / "run", folder / "questions.jsonl", None):
        number = str(int(item.row.id.removesuffix(".jpg")))
        chains[number] = offline.write(item.row, item.question, None, 1)
        clean = clean or (chains[number].influence if not item.row.applied else "")

    def answer(body: dict[str, Any]) -> str:
        stage = body["response_format"]["json_schema"]["name"]
        found = _ROW.search(prompt_of(body))
        if not found:
            return json.dumps({"text": clean})
        chain = chains[found[1]]
        if stage == "combined":
            return json.dumps({part: getattr(chain, part) for part in PARTS})
        return json.dumps({"text": getattr(chain, stage.replace("depth", "reasoning"))})

    async def main() -> None:
        server = FaultServer(answer)
        listener = await server.start()
        print(server.url, flush=True)
        async with listener:
            await listener.serve_forever()

    asyncio.run(main())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--stages", nargs="+", choices=get_args(Stages), default=get_args(Stages))
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    os.environ[KEY] = "none"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, options.rows)
        command = [sys.executable, __file__, "--serve", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            print("stages    at once  rows/s  requests/s  requests/row  CPU ms/row  peak MiB")
            for stages in options.stages:
                for at_once in options.concurrency:
                    measure(folder, url, stages, at_once)
            server.kill()


def measure(folder: Path, url: str, stages: Stages, at_once: int) -> None:
    """One annotation, with a journal of its own."""
    options = AnnotateOptions(
        writer="llm", model="gpt-4o-mini", base_url=url, key_env=KEY, concurrency=at_once,
        stages=stages, reveal_answer=stages == "combined",
    )  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    summary = annotate_run(
        folder / "run",
        folder / f"{stages}-{at_once}",
        options,
        questions=folder / "questions.jsonl",
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert summary is not None
    assert summary["counts"]["statuses"] == {"ok": summary["counts"]["rows"]}
    rows, requests = summary["counts"]["rows"], summary["bill"]["this_run"]["requests"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{stages:9} {at_once:7} {rows / wall:7.1f} {requests / wall:11.1f} {requests / rows:13.2f}"
        f" {1e3 * cpu / rows:11.1f} {peak:9}"
    )


if __name__ == "__main__":
    main()
