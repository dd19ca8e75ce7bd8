"""Small data with something to learn in it, drawn with numpy alone."""

import numpy as np
from scipy.ndimage import gaussian_filter


def blobs(examples: int = 128, side: int = 28, seed: int = 0) -> np.ndarray:
    """Images in [0, 1] of two soft bumps each, (examples, side, side)."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    centre = draw.uniform(0.15 * side, 0.85 * side, (examples, 2, 2, 1, 1))
    width = draw.uniform(0.05 * side, 0.12 * side, (examples, 2, 1, 1))
    distance = (y - centre[:, :, 0]) ** 2 + (x - centre[:, :, 1]) ** 2
    return np.exp(-distance / (2 * width**2)).max(axis=1).astype(np.float32)


def quadrant(images: np.ndarray) -> np.ndarray:
    """Which quarter of an image holds most of its light, 0 to 3, (examples,)."""
    half = images.shape[1] // 2
    parts = [images[:, :half, :half], images[:, :half, half:], images[:, half:, :half], images[:, half:, half:]]
    return np.argmax([part.sum((1, 2)) for part in parts], axis=0).astype(np.int32)


def photographs(examples: int = 64, side: int = 32, seed: int = 1) -> np.ndarray:
    """Smooth colour images in [0, 1] with mean near 0.45, (examples, side, side, 3); most of each is common to all."""
    noise = np.random.default_rng(seed).normal(size=(examples, side, side, 3))
    smooth = gaussian_filter(noise, (0, side / 10, side / 10, 0))
    return np.clip(0.45 + 0.2 * smooth / smooth.std(), 0, 1).astype(np.float32)


def counting(examples: int = 128, length: int = 24, vocabulary: int = 32, seed: int = 2) -> np.ndarray:
    """Tokens that count in steps of the sequence's own, one in ten replaced by chance, (examples, length)."""
    draw = np.random.default_rng(seed)
    first, step = draw.integers(0, vocabulary, (examples, 1)), draw.integers(1, 6, (examples, 1))
    tokens = (first + step * np.arange(length)) % vocabulary
    chance = draw.integers(0, vocabulary, tokens.shape)
    return np.where(draw.random(tokens.shape) < 0.1, chance, tokens).astype(np.int32)


def waves(examples: int = 128, length: int = 48, channels: int = 2, seed: int = 3) -> np.ndarray:
    """Sines of a frequency and phase of their own, (examples, length, channels)."""
    draw = np.random.default_rng(seed)
    time = np.arange(length)[None, :, None] / 8
    frequency = draw.uniform(0.5, 1.5, (examples, 1, 1))
    return np.sin(frequency * time + draw.uniform(0, 6.28, (examples, 1, channels))).astype(np.float32)
