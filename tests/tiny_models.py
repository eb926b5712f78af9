"""Builds tiny models with random weights, and tokenizers for them, into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

TEXTS = [
    "the film was a joy from start to end",
    "dull",
    "the plot of the film is long and the end is not good at all and the start is dull",
    "a good joy",
    "it has {label} in it and [MASK] too",
]
LABELS = ["bad", "good", "very good"]
TEMPLATES = ["{text} It was {label}.", "{label}: {text}", "This is {label}."]


def wordpiece(folder: Path) -> Any:
    """A lower-casing BERT tokenizer over the words of this file's texts and their letters."""
    words = sorted(
        {w for t in [*TEXTS, *LABELS, *TEMPLATES] for w in t.lower().replace(":", "").replace(".", "").split()}
    )
    letters = sorted({c for w in words for c in w} | set("{}[].:,"))
    known = [w for w in words if w.isalpha() and w != "very"]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *letters, *(f"##{c}" for c in letters), *(w for w in known if len(w) > 1)]
    inner = tokenizers.Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]"))
    inner.normalizer = tokenizers.normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def bytes_bpe(folder: Path) -> Any:
    """A GPT-2 tokenizer trained on this file's texts: spaces belong to the word after them."""
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        show_progress=False,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    inner.train_from_iterator([*TEXTS, *LABELS, *TEMPLATES] * 3, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<|end|>", eos_token="<|end|>")
    tokenizer.save_pretrained(folder)
    return tokenizer


def tiny_bert(kind: str, folder: Path, **options: Any) -> Any:
    tokenizer = wordpiece(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.5,
        **options,
    )
    model = getattr(transformers, kind)(config).eval()
    model.save_pretrained(folder)
    return model, tokenizer


def tiny_causal(family: str, folder: Path) -> Any:
    tokenizer = bytes_bpe(folder)
    torch.manual_seed(0)
    config: Any
    if family == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_positions=64, initializer_range=0.5
        )
    else:
        config = transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=64,
            initializer_range=0.5,
        )
    config.bos_token_id = config.eos_token_id = tokenizer.eos_token_id
    config.pad_token_id = None
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    model.save_pretrained(folder)
    return model, tokenizer


def images() -> list[PIL.Image.Image]:
    random = np.random.default_rng(0)
    shapes = [(20, 30, 3), (16, 16, 3), (40, 17, 3), (16, 16)]
    return [PIL.Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]


def tiny_image_text(family: str, folder: Path) -> Any:
    tokenizer = wordpiece(folder)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**small, "vocab_size": len(tokenizer), "max_position_embeddings": 12, "eos_token_id": 3, "pad_token_id": 0}
    vision = {**small, "image_size": 16, "patch_size": 8}
    torch.manual_seed(0)
    config: Any
    processor: Any
    if family == "clip":
        config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
        processor = transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=16)
    else:
        config = transformers.SiglipConfig(text_config={**text, "projection_size": 16}, vision_config=vision)
        processor = transformers.SiglipImageProcessor(size={"height": 16, "width": 16})
    model = transformers.AutoModel.from_config(config).eval()
    torch.nn.init.constant_(model.logit_scale, 2.0)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, tokenizer, processor


def tiny_image(family: str, folder: Path) -> Any:
    """A ViT or a ResNet, 16 × 16 pixels, with random weights, and its image processor."""
    torch.manual_seed(0)
    config: Any
    if family == "vit":
        config = transformers.ViTConfig(
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=16,
            patch_size=8,
            initializer_range=0.5,
        )
    else:
        config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 12], depths=[1, 1, 1])
        config.layer_type = "basic"
    model = transformers.AutoModel.from_config(config).eval()
    model.save_pretrained(folder)
    processor = transformers.ViTImageProcessor(size={"height": 16, "width": 16})
    processor.save_pretrained(folder)
    return model, processor
