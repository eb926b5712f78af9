"""Builds tiny models with random weights, and tokenizers for them, into a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from bench.modeling.encoding.text import tokenizer_for

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
    inner.decoder = decoders.WordPiece()
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


def pad_on(side: str, folder: Path) -> None:
    """Have the folder's tokenizer say that it pads on this side."""
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "padding_side": side}))


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


def tiny_roberta(folder: Path) -> Any:
    tokenizer = wordpiece(folder)
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=65, initializer_range=0.5, pad_token_id=0, bos_token_id=2, eos_token_id=3,
    )  # fmt: skip
    model = transformers.RobertaForMaskedLM(config).eval()
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


TINY_IMAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": (
        "ViTConfig",
        {
            "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32,
            "image_size": 16, "patch_size": 8, "initializer_range": 0.5,
        },
    ),
    "resnet": (
        "ResNetConfig", {"embedding_size": 8, "hidden_sizes": [8, 8, 12], "depths": [1, 1, 1], "layer_type": "basic"},
    ),
    "mobilenet_v1": ("MobileNetV1Config", {"depth_multiplier": 0.25, "min_depth": 8, "image_size": 16}),
    "mobilenet_v2": ("MobileNetV2Config", {"depth_multiplier": 0.25, "finegrained_output": False, "image_size": 16}),
    "mobilevit": (
        "MobileViTConfig",
        {
            "image_size": 64, "hidden_sizes": [16, 16, 16], "neck_hidden_sizes": [8, 8, 16, 16, 16, 16, 40],
            "num_attention_heads": 2,
        },
    ),
    "efficientnet": (
        "EfficientNetConfig",
        {
            "image_size": 32, "width_coefficient": 0.25, "depth_coefficient": 0.2, "hidden_dim": 320,
            "num_block_repeats": [1] * 7,
        },
    ),
    "convnext": ("ConvNextConfig", {"hidden_sizes": [8, 8, 12, 12], "depths": [1, 1, 1, 1], "image_size": 32}),
    "swin": (
        "SwinConfig",
        {"image_size": 32, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4, "patch_size": 4},
    ),
}  # fmt: skip
"""Image models: (transformers' configuration, what makes it tiny)."""


def tiny_image(family: str, folder: Path) -> Any:
    """One of `TINY_IMAGES` with random weights, and its image processor."""
    torch.manual_seed(0)
    kind, options = TINY_IMAGES[family]
    config = getattr(transformers, kind)(**options)
    model = transformers.AutoModel.from_config(config).eval()
    model.save_pretrained(folder)
    size = options.get("image_size", 16)
    processor = transformers.ViTImageProcessor(size={"height": size, "width": size})
    processor.save_pretrained(folder)
    return model, processor


def ending_bpe(folder: Path) -> Any:
    """A tokenizer over this file's texts that ends each with </s>, as T5's and Marian's do."""
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<pad>", "</s>", "<unk>", "<s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, show_progress=False, special_tokens=special, initial_alphabet=alphabet
    )
    inner.train_from_iterator([*TEXTS, *LABELS, *TEMPLATES] * 3, trainer)
    inner.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", bos_token="<s>"
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def mbart_tokenizer(folder: Path) -> Any:
    """mBART's tokenizer over the letters and words of this file's texts."""
    text = " ".join([*TEXTS, *LABELS]).lower()
    pieces = sorted({f"▁{word}" for word in text.split()} | set(text) - {" "} | {"▁"})
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = transformers.MBartTokenizer(
        vocab=[*special, *((piece, -float(rank)) for rank, piece in enumerate(pieces, 1))]
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def tiny_seq2seq(family: str, folder: Path) -> Any:
    """A T5, Marian, BART or mBART of 2 + 2 layers with random weights, and its tokenizer."""
    tokenizer = mbart_tokenizer(folder) if family == "mbart" else ending_bpe(folder)
    end = tokenizer.eos_token_id
    special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": end}
    torch.manual_seed(0)
    config: Any
    if family == "t5":
        config = transformers.T5Config(
            vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, initializer_factor=1.0,
            decoder_start_token_id=tokenizer.pad_token_id, **special,
        )  # fmt: skip
    else:
        kind = {"bart": "BartConfig", "marian": "MarianConfig", "mbart": "MBartConfig"}[family]
        first = tokenizer.pad_token_id if family == "marian" else end
        config = getattr(transformers, kind)(
            vocab_size=len(tokenizer), d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64,
            init_std=0.5, bos_token_id=tokenizer.bos_token_id, decoder_start_token_id=first, forced_eos_token_id=end,
            **special,
        )  # fmt: skip
    model = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    model.save_pretrained(folder)
    return model, tokenizer


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_model(folder: Path, family: str = "qwen2", template: str | None = CHATML) -> Path:
    """A tiny decoder with room for 400 tokens, and a chat template."""
    folder.mkdir(exist_ok=True)
    tiny_causal("llama", folder)
    tokenizer = tokenizer_for(folder)
    tokenizer.chat_template = template
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"], "eos_token": "<|im_end|>"})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config: Any = {"qwen2": transformers.Qwen2Config, "llama": transformers.LlamaConfig}[family](
        vocab_size=len(tokenizer) + 4, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=400, initializer_range=0.5, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=None,
    )  # fmt: skip
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def longer(model: Any, folder: Path) -> Any:
    """The same kind of model with room for 400 tokens."""
    config = model.config
    setattr(config, "n_positions" if config.model_type == "gpt2" else "max_position_embeddings", 400)
    torch.manual_seed(0)
    found = transformers.AutoModelForCausalLM.from_config(config).eval()
    found.save_pretrained(folder)
    return found
