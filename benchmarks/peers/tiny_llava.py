"""A vision-language model of a few thousand random weights, to run trainers on real rows.

LLaVA, because its processor needs no torchvision.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

IMAGE = "<image>"
SIDE, PATCH = 28, 14
TOKENS = (SIDE // PATCH) ** 2
"""Tokens that a picture becomes."""

TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{{ '<image>' if c['type'] == 'image' else c['text'] }}{% endfor %}"
    "{{ '<eos>' if m['role'] == 'assistant' else '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def processor(texts: Iterable[str]) -> Any:
    """A processor whose tokens are learnt from texts; it loses nothing."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlavaProcessor, PreTrainedTokenizerFast
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "<eos>", IMAGE]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    learnt.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=learnt, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )
    side = {"height": SIDE, "width": SIDE}
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=side),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )


def model(made: Any) -> Any:
    """The model for a processor of :func:`processor`."""
    from transformers import (
        CLIPVisionConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        Qwen2Config,
    )

    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    seen = CLIPVisionConfig(**small, num_attention_heads=2, image_size=SIDE, patch_size=PATCH)
    said = Qwen2Config(
        **small,
        vocab_size=len(made.tokenizer),
        num_attention_heads=2,
        num_key_value_heads=2,
        eos_token_id=made.tokenizer.eos_token_id,
        pad_token_id=made.tokenizer.pad_token_id,
    )
    token = made.tokenizer.convert_tokens_to_ids(IMAGE)
    return LlavaForConditionalGeneration(
        LlavaConfig(vision_config=seen, text_config=said, image_token_index=token)
    )
