"""`decode`: codes to examples, by a trained model."""

from pathlib import Path

from tyro.conf import UseAppendAction

from bench.cli.trained import From, Opened, write


def decode(
    from_: From,
    arm: str,
    data: str | None = None,
    out: str | None = None,
    force: bool = False,
    plugin: UseAppendAction[tuple[str, ...]] = (),
) -> int:
    """Decode codes with a model that `run --save` has kept.

    Args:
        from_: The folder of the run.
        arm: As in its table.
        data: An .npy file of codes, (examples, numbers); by default codes-ARM.npy, which `encode` has written.
        out: Of images a .png, one sheet of all, row by row, or an .npy, (examples, height, width); of other numbers an
            .npy or a .csv; of text a .txt, a line each; by default decoded-ARM in the run's folder.
        force: Write over a file that is there.
        plugin: The Python file, or folder, of an arm or workload of your own.
    """
    from bench.data.reading.codes import read_codes

    opened = Opened(from_, arm, plugin)
    medium = opened.model.medium
    path = opened.place("decoded", out, medium.endings, force)
    codes = read_codes(opened.default("codes", ".npy") if data is None else Path(data), opened.model.latent)
    made = opened.model.decode(codes)
    return write(path, medium.content(path.suffix, made), f"{len(made):,} decoded examples")
