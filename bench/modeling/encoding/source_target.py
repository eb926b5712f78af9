"""Tokenises sources and targets once for all trials that share a model, a data set and lengths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ModelError, NotApplicable
from bench.modeling.encoding.arrays import offsets_of
from bench.modeling.encoding.source_target_arrays import Pairs
from bench.modeling.encoding.text import CHUNK, longest, tokenizer_for
from bench.modeling.models.facts import Facts
from bench.modeling.models.files import configs
from bench.modeling.models.generation_models import Writer, writer
from bench.modeling.prompts import fill_template
from bench.modeling.prompts.conversations import Source
from bench.modeling.prompts.generation_prompt import Shot, chats, prompted, wrapped


def encode(
    folder: Path,
    inputs: Sequence[Source],
    targets: Sequence[Sequence[str]],
    *,
    target_folder: Path,
    max_source: int,
    max_target: int,
    template: str | Sequence[tuple[str, str]] = "{text}",
    languages: tuple[str, str] | None = None,
    shots: Sequence[Shot] = (),
) -> None:
    """Tokenise n inputs (texts or conversations) and the first of each one's references into `target_folder`, for
    `pairs.load`.

    max_source, max_target: tokens, the model's own limits where those are less; an input is cut at its end, inside
    the template; a decoder's prompt is also cut so that `max_target` more tokens fit the model's positions.
    template: holds `{text}` once; or what stands before and after each input, and then each shot, all of them texts. A
    decoder answers right after it, or after its chat template's turn of the user where it has one; the answer is
    tokenised on its own, so `{text}\\n` is a good template and one that ends in a space is not. languages: source's and
    target's code, for a tokenizer that marks them (mBART, NLLB, M2M100); a Marian model of many languages takes its
    `>>code<<` from the template. shots: (input, answer), to be read before each input and cut as one; the whole may be
    as long as the model takes, and where it is longer they are cut first.
    Raises ModelError where the model cannot answer with text, NotApplicable where no room is left for the text.
    """
    tokenizer = tokenizer_for(folder)
    how = writer_of(folder)
    most = longest(folder, tokenizer)
    max_target = min(max_target, most)
    whole = most - max_target if how == "decoder" else most
    room = min(max_source, whole)
    if room < 1:
        raise NotApplicable(f"the model takes {most} tokens and max_target is {max_target}; lower it")
    start, chat = _start(tokenizer, languages), chats(Facts.from_files(configs(folder, str(folder))), tokenizer)
    before = [(source, _short(tokenizer, answer, max_target)) for source, answer in shots]
    sources: list[list[int]] = []
    answers: list[list[int]] = []
    for at in range(0, len(inputs), CHUNK):
        asked = inputs[at : at + CHUNK]
        if isinstance(template, str):
            chunk = prompted(tokenizer, asked, template, chat, room, before, whole)
        else:
            around = [*template[at : at + len(asked)], *template[len(inputs) :]]
            chunk = wrapped(tokenizer, asked, around, chat, room, before, whole)
        sources += _sources(tokenizer, chunk, how, chat, whole if shots else room)
        answers += _targets(tokenizer, [references[0] for references in targets[at : at + CHUNK]], how, max_target)
    empty = [i for i, pair in enumerate(zip(sources, answers, strict=True)) if not all(pair)]
    if empty:
        raise ModelError(f"{folder}: its tokenizer gives no token at all for example {empty[0]}")
    Pairs(*_flat(sources), *_flat(answers), tokenizer.pad_token_id or 0, how == "decoder", start).save(target_folder)


def writer_of(folder: Path) -> Writer:
    """How the folder's model answers with text. Raises ModelError where it cannot."""
    facts = Facts.from_files(configs(folder, str(folder)))
    how = writer(facts)
    if how is None:
        kind = "a sentence encoder" if facts.sentence_encoder else f"of type '{facts.model_type}'"
        raise ModelError(f"{folder}: the model is {kind}, and bench knows no way to have it answer with text")
    return how


def _sources(tokenizer: Any, filled: list[str], how: Writer, chat: bool, room: int) -> list[list[int]]:
    found: list[list[int]] = tokenizer(filled, truncation=True, max_length=room, add_special_tokens=not chat)[
        "input_ids"
    ]
    if how != "decoder":
        return found
    end, first = tokenizer.eos_token_id, tokenizer.bos_token_id
    found = [ids[:-1] if ids and ids[-1] == end and not chat else ids for ids in found]  # an answer is still to come
    return [ids or [end if first is None else first] for ids in found]  # the first token needs something to follow


def _short(tokenizer: Any, answer: str, most: int) -> str:
    return fill_template.cut(tokenizer, [answer], lambda text: text, most)[0] if tokenizer.is_fast else answer


def _targets(tokenizer: Any, texts: list[str], how: Writer, most: int) -> list[list[int]]:
    found: list[list[int]]
    if how == "encoder-decoder":
        found = tokenizer(text_target=texts, truncation=True, max_length=most)["input_ids"]
        return found
    if how == "joined":  # [CLS] starts the decoder and is not learnt
        found = tokenizer(texts, truncation=True, max_length=most + 1)["input_ids"]
        return [ids[1:] for ids in found]
    end = tokenizer.eos_token_id
    if end is None:
        raise ModelError("the tokenizer has no end-of-sequence token, so an answer could not end")
    bare = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return [[*ids[: most - 1], end] for ids in bare]


def _start(tokenizer: Any, languages: tuple[str, str] | None) -> dict[str, int]:
    """Have the tokenizer mark these languages; what makes `generate` begin in the target's."""
    if not hasattr(tokenizer, "tgt_lang"):
        if languages is not None:
            raise ModelError("the tokenizer marks no languages; leave `languages` out")
        return {}
    if languages is None and tokenizer.tgt_lang is None:
        raise ModelError("the model is told by its tokenizer which language to write; name source and target language")
    try:
        if languages is not None:
            tokenizer.src_lang, tokenizer.tgt_lang = languages
        ids = tokenizer(text_target="")["input_ids"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the tokenizer does not know the languages {languages}: {error}") from error
    codes = [i for i in ids if i not in (tokenizer.eos_token_id, tokenizer.bos_token_id)]
    if len(codes) != 1 or codes[0] in (None, tokenizer.unk_token_id):
        raise ModelError(f"the tokenizer does not know the language '{tokenizer.tgt_lang}'")
    # after the end of the target it is what transformers' shift makes the decoder's first input
    return {"forced_bos_token_id" if ids[0] == codes[0] else "decoder_start_token_id": int(codes[0])}


def _flat(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """All rows in one int32 array, and int64 [n + 1] offsets into it."""
    return np.concatenate([np.asarray(row, np.int32) for row in rows]), offsets_of(map(len, rows))
