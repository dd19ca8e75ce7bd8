"""`sample`: new examples, by a trained model."""

from tyro.conf import UseAppendAction

from bench.cli.trained import From, Opened, write
from bench.language.errors import InputError


def sample(
    from_: From,
    arm: str,
    count: int = 64,
    seed: int = 0,
    out: str | None = None,
    force: bool = False,
    plugin: UseAppendAction[tuple[str, ...]] = (),
) -> int:
    """Make new examples of the prior with a VAE that `run --save` has kept.

    Args:
        from_: The folder of the run.
        arm: As in its table.
        count: How many.
        seed: Of the draws.
        out: As for `decode`; by default samples-ARM in the run's folder.
        force: Write over a file that is there.
        plugin: The Python file, or folder, of an arm or workload of your own.
    """
    if count < 1:
        raise InputError(f"count must be at least 1, got {count}")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed must lie from 0 to {2**32 - 1}, got {seed}")
    opened = Opened(from_, arm, plugin)
    medium = opened.model.medium
    path = opened.place("samples", out, medium.endings, force)
    made = opened.model.sample(count, seed)
    return write(path, medium.content(path.suffix, made), f"{count:,} samples of the prior, of seed {seed}")
