"""How varied a body of texts is, and whether length follows damage. Pure functions.

Words are those of :func:`degrade.schema.tokens`, lower-cased: words and punctuation marks.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from degrade import schema

_DIGITS = re.compile(r"\d+")


def words(text: str, mask_numbers: bool = False) -> list[str]:
    """Lower-cased words and punctuation marks; ``mask_numbers`` makes all numbers one word."""
    text = text.lower()
    return schema.tokens(_DIGITS.sub("0", text) if mask_numbers else text)


def _grams(tokens: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(tokens[i:] for i in range(n)), strict=False)


def distinct(texts: Iterable[str], n: int, mask_numbers: bool = False) -> float:
    """Distinct-n: number of different n-grams over the number of n-grams, of all texts together.

    In (0, 1]; it falls as a body grows, so figures compare only at equal size. 0 without n-grams.
    Li et al., NAACL 2016, A Diversity-Promoting Objective Function for Neural Conversation Models.
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        grams = list(_grams(words(text, mask_numbers), n))
        total += len(grams)
        seen.update(grams)
    return len(seen) / total if total else 0.0


def self_bleu(texts: Sequence[str], n: int = 3, sample: int = 200) -> float:
    """Self-BLEU-n: mean BLEU-n of each text of a sample against all others of it.

    BLEU = BP exp(mean over k <= n of log p_k): p_k is the share of a text's k-grams found in the
    references, each at most as often as in the one that has it most; BP = min(1, exp(1 - r / c))
    with c the length and r the nearest length of a reference. In [0, 1], 1 for equal texts; it
    rises with the number of references: ``sample`` - 1, the texts taken at even distances. A p_k of
    zero counts as half a match. Zhu et al., SIGIR 2018, Texygen; Papineni et al., ACL 2002.
    """
    if len(texts) > sample:
        texts = [texts[i * len(texts) // sample] for i in range(sample)]
    if len(texts) < 2:
        return 0.0
    tokens = [words(t) for t in texts]
    lengths = [len(t) for t in tokens]
    logs = np.zeros(len(tokens))
    for k in range(1, n + 1):
        counts = [Counter(_grams(t, k)) for t in tokens]
        # The two largest counts of each k-gram: the largest without one's own is among them.
        top: dict[tuple[str, ...], tuple[int, int, int]] = {}
        for i, counter in enumerate(counts):
            for gram, c in counter.items():
                first, owner, second = top.get(gram, (0, -1, 0))
                top[gram] = (c, i, first) if c > first else (first, owner, max(second, c))
        for i, counter in enumerate(counts):
            total = sum(counter.values())
            if not total:
                logs[i] = -math.inf
                continue
            matched = 0
            for gram, c in counter.items():
                first, owner, second = top[gram]
                matched += min(c, second if owner == i else first)
            logs[i] += math.log((matched or 0.5) / total) / n
    scores = []
    for i, c in enumerate(lengths):
        others = lengths[:i] + lengths[i + 1 :]
        r = min(others, key=lambda length: (abs(length - c), length))
        scores.append(math.exp(logs[i] + min(0.0, 1.0 - r / c)) if c else 0.0)
    return sum(scores) / len(scores)


def unique_share(texts: Sequence[str]) -> float:
    """Number of different texts over the number of texts; 1 for none."""
    return len(set(texts)) / len(texts) if texts else 1.0


def opener_share(texts: Sequence[str], top: int = 20, length: int = 3) -> float:
    """Share of texts that begin with one of the ``top`` most frequent first ``length`` words."""
    openers = Counter(tuple(words(t)[:length]) for t in texts)
    return sum(c for _, c in openers.most_common(top)) / len(texts) if texts else 0.0


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's rank correlation: Pearson's of the ranks, ties sharing their mean rank.

    In [-1, 1]; 0 where either is constant or shorter than two. Spearman, Am. J. Psychol. 15, 1904.

    Raises:
        ValueError: Different lengths.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} values: give pairs")
    if len(a) < 2:
        return 0.0
    ranks = []
    for values in (a, b):
        _, group, count = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[group])
    x, y = (r - r.mean() for r in ranks)
    norm = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / norm if norm else 0.0
