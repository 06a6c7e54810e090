"""A vision-language model of random weights, with a vocabulary of its own: made in a second.

The architecture is Qwen2.5-VL's, so that what runs on it runs on the real one; sizes are for a CPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from degrade.schema import PARTS
from trainer import hf

_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
_END, _IM_END = _SPECIAL[0], _SPECIAL[2]
# One message a line, as the models of the family expect it.
_TEMPLATE = """\
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\n' -}}
{%- if message['content'] is string -%}{{- message['content'] -}}
{%- else -%}{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- else -%}{{- part['text'] -}}{%- endif -%}
{%- endfor -%}{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
"""


@dataclass(frozen=True)
class Size:
    """How large a made-up model is.

    Attributes:
        hidden: Width of both towers.
        layers: Of each tower.
        heads: Of each layer.
        patch: Side of a patch in pixels; four patches are one token of the language model.
        vocabulary: Entries of the byte-pair encoding, the special ones not counted.
        spread: Standard deviation of the weights. The usual 0.02 learns slowly at this width.
        min_pixels, max_pixels: Pictures are resized to between these.
    """

    hidden: int = 64
    layers: int = 2
    heads: int = 4
    patch: int = 14
    vocabulary: int = 1000
    spread: float = 0.06
    min_pixels: int = 28 * 28
    max_pixels: int = 112 * 112


def build(folder: Path, texts: Iterable[str], seed: int = 0, size: Size | None = None) -> Path:
    """Write a model with its processor, as ``save_pretrained`` does.

    Args:
        folder: To write.
        texts: What the vocabulary is learnt from.
        seed: Of the weights.
        size: Of the model.

    Raises:
        UserError: The extra ``train`` is not installed.
    """
    size = size or Size()
    tokenizer = _tokenizer(texts, size)
    _processor(tokenizer, size).save_pretrained(str(folder))
    model = _model(tokenizer, seed, size)
    model.save_pretrained(str(folder))
    return folder


def _tokenizer(texts: Iterable[str], size: Size) -> Any:
    parts = hf.module("tokenizers")
    qwen = hf.module("transformers.models.qwen2.tokenization_qwen2")
    learnt = parts.Tokenizer(parts.models.BPE())
    pre = parts.pre_tokenizers
    learnt.pre_tokenizer = pre.Sequence(
        [
            pre.Split(parts.Regex(qwen.PRETOKENIZE_REGEX), behavior="isolated"),
            pre.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = parts.trainers.BpeTrainer(
        vocab_size=size.vocabulary, initial_alphabet=pre.ByteLevel.alphabet(), show_progress=False
    )
    learnt.train_from_iterator(texts, trainer)
    # The vocabulary and merges are only to be had by way of files.
    import json

    found = json.loads(learnt.to_str())["model"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in found["merges"]]
    tokenizer = qwen.Qwen2Tokenizer(
        vocab=found["vocab"], merges=merges, eos_token=_IM_END, pad_token=_END, unk_token=_END
    )
    added = parts.AddedToken
    tokenizer.add_tokens([added(token, special=True) for token in _SPECIAL])
    # One token per tag makes the form easy to learn. Not special: those are dropped on decoding,
    # and every reward for the form with them.
    tags = [tag for part in PARTS for tag in (f"<{part}>", f"<{part}_END>")]
    tokenizer.add_tokens([added(tag, special=False, normalized=False) for tag in tags])
    tokenizer.padding_side = "left"
    return tokenizer


def _processor(tokenizer: Any, size: Size) -> Any:
    from trainer.models import without_torchvision

    pictures = hf.module("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    image_processor = pictures.Qwen2VLImageProcessorPil(
        patch_size=size.patch,
        merge_size=2,
        temporal_patch_size=2,
        size={"shortest_edge": size.min_pixels, "longest_edge": size.max_pixels},
    )
    return without_torchvision("qwen2_5_vl")(image_processor, tokenizer, chat_template=_TEMPLATE)


def _model(tokenizer: Any, seed: int, size: Size) -> Any:
    transformers = hf.module("transformers")
    ids = tokenizer.convert_tokens_to_ids
    head = size.hidden // size.heads
    third = head // 2 // 3  # rotary sections: height and width, the rest for time
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": size.hidden,
            "intermediate_size": 2 * size.hidden,
            "num_hidden_layers": size.layers,
            "num_attention_heads": size.heads,
            "num_key_value_heads": size.heads,
            "max_position_embeddings": 4096,
            "initializer_range": size.spread,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [head // 2 - 2 * third, third, third],
            },
            "eos_token_id": ids(_IM_END),
            "pad_token_id": ids(_END),
            "bos_token_id": ids(_END),
        },
        vision_config={
            "depth": size.layers,
            "hidden_size": size.hidden,
            "intermediate_size": 2 * size.hidden,
            "num_heads": size.heads,
            "patch_size": size.patch,
            "window_size": 8 * size.patch,
            "out_hidden_size": size.hidden,
            "fullatt_block_indexes": [size.layers - 1],
            "initializer_range": size.spread,
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=True,
        initializer_range=size.spread,
    )
    transformers.set_seed(seed)
    model = transformers.Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=[ids(_IM_END), ids(_END)], pad_token_id=ids(_END)
    )
    return model
