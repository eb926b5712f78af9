"""Fills templates: `{text}` stands for the example, `{label}` for a label's words.

One list of templates serves every way of answering: a template without `{text}` follows the text, and a way that
compares the label's sentence with the text on its own leaves `{text}` out of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from bench.errors import NotApplicable, UsageError


def plain(example: str | tuple[str, str]) -> str:
    """The example as one text; a pair's two are joined by a space."""
    return example if isinstance(example, str) else " ".join(example)


def with_text(template: str) -> str:
    """The template with exactly one `{text}` and one `{label}`. Raises UsageError where it cannot be."""
    whole = template if "{text}" in template else "{text} " + template
    if whole.count("{text}") != 1 or whole.count("{label}") != 1:
        raise UsageError(f"the template '{template}' must hold {{label}} once, and {{text}} at most once")
    return whole


def stem(whole: str) -> str:
    """What stands before the label, for a model that reads on: what follows it cannot change its odds.

    whole: from `with_text`. Raises UsageError where the text follows the label.
    """
    before, _, _ = whole.partition("{label}")
    if "{text}" not in before:
        raise UsageError(f"the template '{whole}' must hold {{text}} before {{label}}: a causal model reads on")
    return before


def fill(template: str, text: str, label: str) -> str:
    """The filled template, without space around it. Braces in the text or the label mean nothing."""
    return re.sub(r"\{(text|label)\}", lambda found: text if found[1] == "text" else label, template).strip()


def around_context(template: str, question: str) -> tuple[str, str]:
    """What stands before `{context}`, and after it. Braces in the question mean nothing."""
    before, after = template.split("{context}")
    return before.replace("{question}", question), after.replace("{question}", question)


def statement(template: str, label: str) -> str:
    """The template's sentence about the label, without the text."""
    return fill(with_text(template), "", label)


def cut(
    tokenizer: Any,
    texts: Sequence[str],
    wrap: Callable[[str], str] | Sequence[Callable[[str], str]],
    max_length: int,
) -> list[str]:
    """The texts, cut at their ends so that `wrap(text)` has at most `max_length` tokens. wrap: one, or one a text.

    tokenizer: a fast tokenizer of transformers. Raises NotApplicable where `wrap("")` is too long already.
    """
    short = list(texts)
    wraps = [wrap] * len(short) if callable(wrap) else wrap
    over = list(range(len(short)))
    while over:
        lengths = [len(ids) for ids in tokenizer([wraps[i](short[i]) for i in over], verbose=False)["input_ids"]]
        excess = {i: length - max_length for i, length in zip(over, lengths, strict=True) if length > max_length}
        for i, extra in excess.items():
            if not short[i]:
                raise NotApplicable(
                    f"'{wraps[i]('')}' alone takes {max_length + extra} tokens and max_length is {max_length}; raise it"
                )
            if not tokenizer.is_fast:
                raise NotApplicable(
                    f"a text takes {max_length + extra} tokens with its template, of {max_length} that there is room "
                    "for, and only a fast tokenizer (tokenizer.json) tells where to cut it"
                )
            spans = tokenizer(short[i], add_special_tokens=False, return_offsets_mapping=True, verbose=False)
            ends = [end for _, end in spans["offset_mapping"]]
            stop = ends[-extra - 1] if len(ends) > extra else 0
            short[i] = short[i][: min(stop, len(short[i]) - 1)]  # a character of several tokens ends with each of them
        over = list(excess)
    return short
