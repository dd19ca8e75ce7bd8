"""The verdicts on a cell's trainings, from the figures that are stored of them.

Whoever changes a rule trains nothing anew: for a stored cell whose programs are unchanged the words are found again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bench.results.judging.rescaling import optimizer_of, rescales
from bench.results.stored.records import TrainingRecord
from vae_jax.diagnosis.verdict import Code, judge


def with_verdicts(trainings: Sequence[TrainingRecord], recipe: dict[str, object]) -> tuple[TrainingRecord, ...]:
    """The same trainings, each with its verdict and why; one that diverged, or of which nothing was read, has none.

    Args:
        trainings: Those that are reported on.
        recipe: Every slot's value.
    """
    rescaled = rescales(optimizer_of(recipe))
    return tuple(_judged(each, rescaled) for each in trainings)


def commonest_verdict(trainings: Sequence[TrainingRecord]) -> tuple[str, int]:
    """The word that most seeds' verdict is, and how many of them; empty where none has one."""
    words = Counter(training.verdict for training in trainings if training.verdict is not None)
    return words.most_common(1)[0] if words else ("", 0)


def _judged(training: TrainingRecord, rescaled: bool) -> TrainingRecord:
    read = training.gradient_ratio_init, training.shared_gradient_init, training.flat_init
    if training.score is None or read == (None, None, None):
        return replace(training, verdict=None, because=None)
    code = None
    if training.kl_nats is not None and training.active_units is not None:
        code = Code(training.kl_nats, training.active_units, training.reconstruction_share_end)
    verdict = judge(*read, code, rescales=rescaled)
    return replace(training, verdict=verdict.word, because=verdict.because)
