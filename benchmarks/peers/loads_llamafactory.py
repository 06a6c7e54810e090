"""LLaMA-Factory's own loader on an export, from files to tokens; see ``loaders.py``.

python loads_llamafactory.py EXPORT
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import nullcontext
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

# It imports torchaudio for sounds. No row here has one, and torchaudio has no build for this torch.
_audio = ModuleType("torchaudio")
_audio.__spec__ = ModuleSpec("torchaudio", None)
sys.modules["torchaudio"] = _audio

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.hparams import DataArguments, ModelArguments  # noqa: E402
from tiny_llava import IMAGE, TOKENS, processor  # noqa: E402


def main(folder: Path, cache: str) -> None:
    """Load every entry; as many rows and texts must come out as are in its file."""
    for name, entry in json.loads((folder / "dataset_info.json").read_text("utf-8")).items():
        rows = json.loads((folder / entry["file_name"]).read_text("utf-8"))
        made = processor(turn["value"] for row in rows for turn in row["conversations"])
        data = DataArguments(
            dataset=name, dataset_dir=str(folder), template="llava", cutoff_len=1 << 16
        )
        training = SimpleNamespace(
            seed=0,
            local_process_index=0,
            should_log=False,
            predict_with_generate=False,
            main_process_first=lambda **_: nullcontext(),
        )
        model = ModelArguments(model_name_or_path="none", cache_dir=cache)
        template = get_template_and_fix_tokenizer(made.tokenizer, data)
        found = get_dataset(template, model, data, training, "sft", made.tokenizer, made)
        loaded = found["train_dataset"]
        assert len(loaded) == len(rows), f"{name}: {len(loaded)} of {len(rows)} rows loaded"
        image = made.tokenizer.convert_tokens_to_ids(IMAGE)
        for row, tokens in zip(rows, loaded, strict=True):
            learnt = [t for t in tokens["labels"] if t >= 0]
            text = made.tokenizer.decode(learnt, skip_special_tokens=True)
            assert text.strip() == row["conversations"][1]["value"], f"{row['id']}: {text!r}"
            assert tokens["input_ids"].count(image) == TOKENS, row["id"]
        print(f"{name}: {len(loaded)} rows, chains whole, one picture each")


with tempfile.TemporaryDirectory() as cache:
    main(Path(sys.argv[1]), cache)
