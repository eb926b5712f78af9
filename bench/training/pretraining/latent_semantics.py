"""Token embeddings from which passages the tokens stand in: latent semantic analysis (Deerwester et al. 1990).

A masked language model on little text first learns how frequent tokens are and stays there for thousands of steps.
Started from these embeddings it need not find out by gradient which tokens keep company.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bench.modeling.encoding.arrays import Tokens


def latent_semantics(tokens: Tokens, vocabulary: int, width: int) -> np.ndarray:
    """One row a token, float64 [vocabulary, width]: its inverse document frequency times its right singular vector of
    the passages' log-scaled TF-IDF matrix, scaled by the square root of the singular values."""
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer

    ids = np.asarray(tokens.ids)
    passages = np.repeat(np.arange(len(tokens.lengths)), tokens.lengths)
    counts = csr_matrix((np.ones(len(ids)), (passages, ids)), shape=(len(tokens.lengths), vocabulary))
    weights = TfidfTransformer(sublinear_tf=True)
    svd = TruncatedSVD(width, random_state=0).fit(weights.fit_transform(counts))
    found: np.ndarray = (svd.components_ * np.sqrt(svd.singular_values_)[:, None]).T * weights.idf_[:, None]
    return found


def start_from(embeddings: Tensor, found: np.ndarray) -> None:
    """Put embeddings found elsewhere in place of random ones of the same spread."""
    with torch.no_grad():
        embeddings.copy_(torch.from_numpy(found / found.std()) * embeddings.std())
