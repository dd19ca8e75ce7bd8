"""A folder of images, PNG or JPEG, all of one size and kind."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bench.language.errors import InputError

_ENDINGS = (".png", ".jpg", ".jpeg")

# Pillow's modes: one bit, grey, colour.
_MODES = ("1", "L", "RGB")


def read_pictures(folder: Path) -> tuple[np.ndarray, list[Path]]:
    """The images of a folder, in the order of their names, and where each was.

    Args:
        folder: Of .png, .jpg and .jpeg files; whatever else is in it is not read.

    Returns:
        uint8, or bool where a pixel has one bit, of shape (examples, height, width), with a last axis of 3 in colour.

    Raises:
        InputError: If there is none, one is damaged, or has another size or mode than the first.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS and path.is_file())
    if not paths:
        raise InputError(
            f"{folder} holds no PNG or JPEG image: give a folder with a .png or .jpg file for each example"
        )
    images = []
    for path in paths:
        images.append(_image(path))
        if _words(images[-1]) != _words(images[0]):
            raise InputError(
                f"{path} is {_words(images[-1])}, {paths[0].name} is {_words(images[0])}: bring all to one size "
                "and mode"
            )
    return np.stack(images), paths


def _image(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            if image.mode not in _MODES:
                raise InputError(
                    f"{path} has the mode {image.mode}, not 1 (one bit), L (grey) or RGB: convert it, as "
                    "PIL.Image.open(path).convert('L')"
                )
            return np.asarray(image)
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path} is no image that can be read, for all its name: replace it, or take it out"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is truncated or damaged ({error}): replace it, or take it out") from error


def _words(image: np.ndarray) -> str:
    mode = "1" if image.dtype == bool else "RGB" if image.ndim == 3 else "L"
    return f"{image.shape[1]} x {image.shape[0]} pixels of mode {mode}"
