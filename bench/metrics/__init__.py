"""Metrics, one file each: `score(targets, answers) -> float`.

`TAKES` says what a metric judges:

| TAKES | targets | answers |
|---|---|---|
| "classes" | int64 [n] | log-probabilities, float [n, classes] |
| "tags" | n lists of tag names (IOB2: O, B-X, I-X) | n lists of as many tag names |
| "texts" | n lists of one or more references | n texts |
| "label-sets" | 0 or 1, int8 [n, labels] | probabilities, float [n, labels]: a label is given from 0.5 on |
| "values" | float64 [n] | float64 [n] |
| "likelihoods" | None | float64 [n, 3]: negative log-likelihood in nats, tokens it is the sum of, bytes of UTF-8 text |

Bytes are NaN where a masked model told hidden tokens, which are no text. A metric further states `VERSION`,
`HIGHER_IS_BETTER`, `RANGE` (the lowest and the highest score there can be, which may be infinite) and `PER_EXAMPLE`;
where that is true, also `outcomes`, float32 [n], whose mean is the score. Where a library or its settings decide the
value, `signature() -> str` names them; where a metric needs what may not be at hand, `check()` says so before anything
is trained. n is at least 1.
"""

from __future__ import annotations

import numpy as np


def given(probabilities: np.ndarray) -> np.ndarray:
    """Which labels are given: those as likely as not, or likelier; bool of the same shape."""
    found: np.ndarray = probabilities >= 0.5
    return found
