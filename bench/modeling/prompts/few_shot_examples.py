"""Examples that stand in a prompt before what is asked, and how both are cut to fit a model.

Each is a filled template of its own, and a blank line follows it. Where all together are too long, the examples' texts
are cut at their ends, all to one number of characters, before anything of the asked text is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from bench.errors import NotApplicable
from bench.modeling.prompts import fill_template

BLANK = "\n\n"


def ask(
    tokenizer: Any,
    shots: Sequence[tuple[str, str]],
    template: str,
    texts: Sequence[str],
    wrap: Callable[[str], str],
    max_length: int,
    longest: int,
) -> list[tuple[str, str]]:
    """(what stands before, the text) for each asked text, cut.

    shots: (text, label's words); template: with `{text}` and `{label}`, for the shots; wrap: fills it for an asked
    text. max_length: tokens of one filled template, a shot's or an asked one's; longest: of all in one prompt.
    Raises NotApplicable where the shots leave no room.
    """
    texts = fill_template.cut(tokenizer, texts, wrap, max_length)
    if not shots:
        return [("", text) for text in texts]
    words = [word for _, word in shots]
    own = [
        fill_template.cut(tokenizer, [text], partial(fill_template.fill, template, label=word), max_length)[0]
        for text, word in shots
    ]

    def before(cut: Sequence[str]) -> str:
        return "".join(fill_template.fill(template, text, word) + BLANK for text, word in zip(cut, words, strict=True))

    found = fit(tokenizer, own, lambda cut, text: before(cut) + wrap(text), texts, longest)
    return [(before(cut), text) for cut, text in found]


def fit(
    tokenizer: Any,
    shots: Sequence[str],
    build: Callable[[Sequence[str], str], str],
    texts: Sequence[str],
    longest: int,
) -> list[tuple[Sequence[str], str]]:
    """(the shots' texts, the text) for each asked text, cut so that `build` of them has at most `longest` tokens.

    Raises NotApplicable where shots without a text leave no room for the asked one.
    """

    def count(cut: Sequence[str], text: str) -> int:
        return len(tokenizer(build(cut, text), verbose=False)["input_ids"])

    try:
        texts = fill_template.cut(tokenizer, texts, partial(build, [""] * len(shots)), longest)
    except NotApplicable as error:
        why = f"{len(shots)} examples in a prompt take more than the {longest} tokens there is room for; lower k"
        raise NotApplicable(why) from error
    lengths = [len(ids) for ids in tokenizer([build(shots, text) for text in texts], verbose=False)["input_ids"]]
    found: list[tuple[Sequence[str], str]] = []
    for text, length in zip(texts, lengths, strict=True):
        kept = shots
        if length > longest:
            fits, too_long = 0, max(map(len, shots))
            while too_long - fits > 1:
                middle = (fits + too_long) // 2
                fewer = count([shot[:middle] for shot in shots], text) <= longest
                fits, too_long = (middle, too_long) if fewer else (fits, middle)
            kept = [shot[:fits] for shot in shots]
        found.append((kept, text))
    return found
