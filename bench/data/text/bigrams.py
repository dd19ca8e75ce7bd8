"""What a sentence costs a model that counts, and knows each token's predecessor at most: no z, no more of the past."""

import numpy as np

from bench.data.splits import Arrays
from bench.data.text.vocabulary import BEGIN_NUMBER


def bigram_nats(train: Arrays, rows: Arrays, symbols: int) -> float:
    """Minus the log-probability of a sentence and its end, in nats, averaged over sentences: by counts of pairs, or of
    single tokens where those are cheaper, as where nearly no pair comes twice.

    A token's probability is that after its predecessor, mixed with its own, and that with one over the number of
    symbols, by how many different ones were seen: p(w|v) = (c(v w) + t(v) p(w)) / (c(v) + t(v)).

    Args:
        train: Rows of numbers that are counted.
        rows: Rows that are judged.
        symbols: How many there are.

    Source:
        Witten & Bell 1991, IEEE Transactions on Information Theory 37(4), method C, interpolated.
    """
    before, tokens = _pairs(train)
    single = np.bincount(tokens, minlength=symbols)
    types = np.count_nonzero(single)
    own = (single + types / symbols) / (len(tokens) + types)
    seen, counts = np.unique(before * symbols + tokens, return_counts=True)
    after, followers = (np.bincount(each, minlength=symbols) for each in (before, seen // symbols))

    before, tokens = _pairs(rows)
    asked = before * symbols + tokens
    place = np.minimum(np.searchsorted(seen, asked), len(seen) - 1)
    count = np.where(seen[place] == asked, counts[place], 0)
    # Where nothing was seen to follow there is a token's own probability.
    weight = np.maximum(followers[before], 1)
    probability = (count + weight * own[tokens]) / (after[before] + weight)
    costs = (-np.log(each).sum() for each in (probability, own[tokens]))
    return float(min(costs)) / len(rows["lengths"])


def _pairs(rows: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Each token that is there, and its predecessor before it."""
    tokens = rows["tokens"].astype(np.int64)
    there = np.arange(tokens.shape[1]) < rows["lengths"][:, None]
    before = np.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=BEGIN_NUMBER)
    return before[there], tokens[there]
