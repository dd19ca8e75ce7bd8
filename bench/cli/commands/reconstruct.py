"""`reconstruct`: examples beside what is made of their codes, by a trained model."""

from tyro.conf import UseAppendAction

from bench.cli.trained import From, Opened, write


def reconstruct(
    from_: From,
    arm: str,
    data: str | None = None,
    out: str | None = None,
    force: bool = False,
    plugin: UseAppendAction[tuple[str, ...]] = (),
) -> int:
    """Encode examples and decode their codes, with a model that `run --save` has kept.

    Args:
        from_: The folder of the run.
        arm: As in its table.
        data: As for `encode`.
        out: Of images a .png, one sheet with each row of reconstructions under the row of its originals; otherwise, as
            for `decode`, the reconstructions alone; by default reconstructions-ARM in the run's folder.
        force: Write over a file that is there.
        plugin: The Python file, or folder, of an arm or workload of your own.
    """
    opened = Opened(from_, arm, plugin)
    medium = opened.model.medium
    path = opened.place("reconstructions", out, medium.endings, force)
    examples = opened.examples(data)
    made = opened.model.decode(opened.model.encode(examples.rows))
    return write(
        path, medium.content(path.suffix, made, examples.rows), f"{len(made):,} {examples.name}, reconstructed"
    )
