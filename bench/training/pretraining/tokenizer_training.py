"""Learns a tokenizer from text: lower-cased byte-level BPE with BERT's special tokens.

Not WordPiece: the trainer in `tokenizers` numbers the `##` pieces in the order of a hash map, so that no two runs give
the same vocabulary. Byte-level BPE does, and it knows no unknown token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def learn(texts: Sequence[str], size: int, max_length: int) -> Any:
    """A fast tokenizer of transformers with `size` tokens, the same for the same texts."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = [AddedToken(word, special=True) for word in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")]
    mask = AddedToken("[MASK]", special=True, lstrip=True)  # takes the space before it, as a word does
    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size, special_tokens=[*special, mask], initial_alphabet=alphabet, show_progress=False
        ),
    )
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(word, inner.token_to_id(word)) for word in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token=mask,
    )
