"""Questions to a vision-language model of transformers on this machine, greedy, in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from degrade import images
from degrade.errors import StoppedError
from trainer import answers, hf, models
from trainer.config import ModelConfig
from trainer.data import MAX_PIXELS
from trainer.evaluation.config import EvaluateOptions
from trainer.evaluation.plan import Ask
from trainer.evaluation.records import Said

_READ = ("*.safetensors", "*.bin", "*.json", "*.jinja", "*.txt", "*.model")


class LocalModel:
    """A model by its folder or its name on the Hub; loaded when there is something to ask.

    Args:
        options: Which, and how it is asked.
    """

    def __init__(self, options: EvaluateOptions) -> None:
        self._options = options
        self._path = models.of_run(options.model)
        folder = Path(self._path)
        self.settings: dict[str, Any] = {
            "model": self._path,
            "weights": digest(folder) if folder.is_dir() else "",
            "revision": options.revision,
            "dtype": options.dtype,
            "max_pixels": options.max_pixels,
            "max_tokens": options.max_tokens,
        }
        self._loaded: tuple[Any, Any] | None = None

    def answers(self, asks: Iterator[tuple[Ask, bytes]]) -> Generator[list[Said]]:
        """Ask in batches; gives what was said, a batch at a time."""
        batch: list[tuple[Ask, images.Pixels | None]] = []
        for ask, data in asks:
            try:
                pixels = images.decode(data, MAX_PIXELS).pixels if ask.picture else None
            except images.UnreadableError as error:
                detail = f"picture_{error.reason}: {error.detail}"
                yield [Said(key=ask.key, status="failed", detail=detail)]
                continue
            if batch and (batch[0][1] is None) != (pixels is None):
                yield self._batch(batch)  # with pictures and without do not go together
                batch = []
            batch.append((ask, pixels))
            if len(batch) == self._options.batch:
                yield self._batch(batch)
                batch = []
        if batch:
            yield self._batch(batch)

    def _batch(self, batch: list[tuple[Ask, images.Pixels | None]]) -> list[Said]:
        model, processor = self._loaded = self._loaded or self._load()
        torch = hf.module("torch")
        asked = [(ask.prompt, pixels) for ask, pixels in batch]
        try:
            said = answers.generate(model, processor, asked, self._options.max_tokens, len(batch))
        except torch.OutOfMemoryError:
            raise StoppedError(
                f"A batch of {len(batch)} does not fit into the device's memory: give a smaller "
                "--batch or --max-pixels. What is answered is kept; the same command goes on."
            ) from None
        except answers.REFUSALS as error:
            if len(batch) > 1:  # one of them; the others are answered
                return [said for one in batch for said in self._batch([one])]
            return [Said(key=batch[0][0].key, status="failed", detail=f"prompt_refused: {error}")]
        return [
            Said(
                key=ask.key,
                status="ok" if one.text.strip() else "empty",
                text=one.text,
                tokens=one.new_tokens,
                cut=one.cut,
            )
            for (ask, _), one in zip(batch, said, strict=True)
        ]

    def _load(self) -> tuple[Any, Any]:
        options = self._options
        hf.quiet()
        torch = hf.module("torch")
        from degrade.runtime import resolve_device

        device = resolve_device(options.device)
        dtype = options.dtype
        if dtype == "auto":
            dtype = "bfloat16" if device.type == "cuda" else "float32"
        config = ModelConfig(
            path=self._path,
            revision=options.revision,
            dtype=dtype,
            max_pixels=options.max_pixels,
            freeze=(),
        )
        processor = models.load_processor(self._path, config)
        try:
            return models.load_model(self._path, config).to(device), processor
        except torch.OutOfMemoryError:
            raise StoppedError(
                f"{options.model} does not fit into the memory of {device}."
            ) from None


def digest(folder: Path) -> str:
    """What a model in a folder is: a hash of its weights, its configuration and its tokenizer."""
    found = hashlib.sha256()
    for path in sorted({p for pattern in _READ for p in folder.glob(pattern)}):
        with path.open("rb") as file:
            found.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return found.hexdigest()[:16]
