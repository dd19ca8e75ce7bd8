"""Confirmation: an arm that is said to be better is trained on seeds that the claim was not made on. No jax."""

from bench.results.judging.comparison import BETTER
from bench.results.results import Results, Row

BEST = 20
"""Arms of the largest gain that are confirmed with all that are claimed to be better."""


def to_confirm(results: Results) -> list[Row]:
    """The arms of one workload that are to be confirmed, and the bases that they are held against.

    Args:
        results: Of one workload.
    """
    ranked = sorted((row for row in results.rows if row.mostly_left and not row.past_z), key=lambda row: -row.gain.mean)
    claimed = [row for row in results.rows if row.comparison and row.comparison.word.startswith(BETTER)]
    arms = {row.cell.arm for row in (*ranked[:BEST], *claimed)}
    arms |= {row.cell.base for row in results.rows if row.cell.arm in arms}
    return [row for row in results.rows if row.cell.arm in arms and row.stored and row.record.learning_rate is not None]


def words(seeds: int) -> str:
    """The rule in a sentence."""
    return (
        f"The {BEST} arms of the largest gain and all that are claimed to be better are trained with their bases on "
        f"{seeds} fresh seeds more: confirmed is what is better there too, by the same rule, over those seeds alone."
    )
