"""`encode`: examples to codes, by a trained model."""

from tyro.conf import UseAppendAction

from bench.cli.trained import From, Opened, write


def encode(
    from_: From,
    arm: str,
    data: str | None = None,
    out: str | None = None,
    force: bool = False,
    plugin: UseAppendAction[tuple[str, ...]] = (),
) -> int:
    """Encode examples with a model that `run --save` has kept: their codes, and what is lost in them.

    Args:
        from_: The folder of the run.
        arm: As in its table.
        data: A file of examples, as `run` reads one: .npy, .npz, .csv, a folder of images, or a .txt with an example a
            line; by default the test set. Numbers are taken as they are, and not binarised.
        out: An .npy file for the codes, (examples, numbers), of a VAE the means of q(z|x); by default codes-ARM.npy in
            the run's folder.
        force: Write over a file that is there.
        plugin: The Python file, or folder, of an arm or workload of your own.
    """
    from bench.data.reading.medium import npy
    from bench.language.figures import figure

    opened = Opened(from_, arm, plugin)
    medium = opened.model.medium
    path = opened.place("codes", out, (".npy",), force)
    examples = opened.examples(data)
    codes = opened.model.encode(examples.rows)
    share = medium.lost(examples.rows, opened.model.decode(codes))
    if share is None:
        missed = opened.model.missed(codes, examples.rows)
        error = f"reconstruction error {figure(missed)} {opened.model.workload.score.unit}"
    else:
        error = f"decoded, {share:.1%} of the tokens and ends are others"
    print(
        f"{examples.count:,} {examples.name}: {medium.byte_count(examples.rows):,} bytes in, "
        f"{codes.nbytes:,} bytes of code; {error}"
    )
    return write(path, npy(codes), f"the codes, {len(codes)} x {codes.shape[1]}")
