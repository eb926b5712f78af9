"""Which script a text is written in, as far as it matters here."""

from __future__ import annotations

import re
from collections.abc import Sequence

UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Letters of scripts that put no space between words: Thai, Lao, Burmese, Khmer, Japanese and Chinese."""


def unspaced(texts: Sequence[str]) -> bool:
    """Whether most letters of the texts are of a script that puts no space between words."""
    every = "".join(texts)
    return 2 * len(UNSPACED.findall(every)) > len(re.findall(r"[^\W\d_]", every))
