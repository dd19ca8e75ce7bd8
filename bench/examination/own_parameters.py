"""A person's trained parameters, read from a file that runs no code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx, serialization, traverse_util

from bench.examination.own_code import line
from bench.language.errors import InputError

# A pickle's first byte, and a zip's, as torch.save writes one.
_PICKLED = (b"\x80", b"PK")


def with_parameters(model: Any, file: str) -> Any:
    """The model with the parameters of a file in the place of its own.

    Args:
        model: As its function made it.
        file: Safetensors or Flax's msgpack, or a folder that Orbax wrote.

    Raises:
        InputError: If it cannot be read, or is another model's: which leaf.
    """
    stored = _flat(_read(file))
    if isinstance(model, nnx.Module):
        own = nnx.as_pure(nnx.state(model, nnx.Param))
        nnx.update(model, _replaced(own, stored, file))
        return model
    if isinstance(model, tuple) and len(model) == 2:
        return model[0], _replaced(model[1], stored, file)
    return _replaced(model, stored, file)


def _read(file: str) -> Mapping[str, Any]:
    path = Path(file)
    if not path.exists():
        raise InputError(
            f"there is no parameters file {file!r}: give a .safetensors or .msgpack file or an Orbax folder"
        )
    try:
        if path.is_dir():
            return _orbax(path)
        content = path.read_bytes()
        if content.startswith(_PICKLED):
            raise InputError(
                f"parameters file {file!r} is a pickle, which runs code when it is read: write safetensors or Flax's "
                f"msgpack"
            )
        if path.suffix == ".safetensors":
            from safetensors.numpy import load

            return load(content)
        return dict(serialization.msgpack_restore(content))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"parameters file {file!r} cannot be read: {line(error)}") from error


def _orbax(path: Path) -> Mapping[str, Any]:
    import orbax.checkpoint

    return orbax.checkpoint.PyTreeCheckpointer().restore(path.resolve())


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    flat = traverse_util.flatten_dict(dict(tree), sep="/")
    # safetensors of torch and of many others have dots between names.
    return {str(name).replace(".", "/"): value for name, value in flat.items()}


def _replaced(own: Any, stored: Mapping[str, Any], file: str) -> Any:
    leaves, structure = jax.tree_util.tree_flatten_with_path(own)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    # A file may hold the parameters alone, or all collections, or more around them.
    found = []
    for name, (_, leaf) in zip(names, leaves, strict=True):
        ways = [name, name.removeprefix("params/"), f"params/{name}", f"{name}/value", f"params/{name}/value"]
        place = next((way for way in ways if way in stored), None)
        if place is None:
            raise InputError(
                f"parameters file {file!r} holds no {name!r}: it is another model's, or has other names; it holds "
                f"{', '.join(sorted(stored)[:5])}"
            )
        value = np.asarray(stored[place])
        if value.shape != np.shape(leaf):
            shapes = [" x ".join(map(str, shape)) or "a number" for shape in (value.shape, np.shape(leaf))]
            raise InputError(
                f"parameters file {file!r} holds {place!r} of shape {shapes[0]}, the model's is {shapes[1]}: it is "
                f"another model's"
            )
        found.append(jnp.asarray(value, leaf.dtype) if hasattr(leaf, "dtype") else leaf)
    return jax.tree.unflatten(structure, found)
