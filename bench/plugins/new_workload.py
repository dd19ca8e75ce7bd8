"""The file with the few lines of a workload on a person's own data."""

import json
from collections.abc import Collection
from pathlib import Path

from bench.plugins.new_file import write_new

_TEXT = '''"""{title}: a workload of your own.

python -m bench check {file}
python -m bench run --plugin {file} --workload {typed}
"""

from bench import Workload, workload
from bench.data.digits import independent_pixels
from bench.data.images import flat_images, images
from bench.workloads.bases import BASELINE, TRAINABLE
from vae_jax.models.vae import VAEArchitecture


@workload
def {name}(*, data: str = {data}, depth: int = 8, width: int = 64, latent: int = 8) -> Workload:
    """{title} through sigmoid layers: the gradient vanishes through depth; a dead arm sits on independent pixels."""
    found = images(data, unit_interval=True, tables=True)
    return Workload(
        architecture=VAEArchitecture(found.numbers, depth, width, latent),
        bases={{"baseline": BASELINE, "trainable": TRAINABLE}},
        steps=1500,
        batch=128,
        data=flat_images(found, "anew"),
        plateau=independent_pixels,
    )
'''


def write_workload(name: str, data: str, path: Path, taken: Collection[str]) -> Path:
    """Write a new workload's file, which loads, and trains a variational autoencoder on the data that are named.

    Args:
        name: Of the workload, as a Python function is named.
        data: The name of a set, or a path.
        path: The file to write.
        taken: Names that workloads have already.

    Returns:
        The file.

    Raises:
        InputError: If the name is none or taken, or the file is there or called as a module is.
    """
    title, typed = name.replace("_", " ").capitalize(), name.replace("_", "-")
    said = json.dumps(data, ensure_ascii=False)
    text = _TEXT.format(name=name, data=said, title=title, typed=typed, file=path)
    return write_new("workload", name, path, text, {each.replace("-", "_") for each in taken})
