"""Labels that lie on nothing: beside their points where there is room, in a row above a crowd."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import isotonic_regression

Boxes = np.ndarray
"""One row each of left, bottom, right, top, in any one unit."""

# In degrees, to the right first, as one reads.
DIRECTIONS = np.radians([0, 180, 90, 270, 60, 120, 300, 240, 30, 150, 330, 210, 75, 105, 285, 255])
DISTANCES = np.arange(1, 41)

OVERLAP, CROSSING, AMBIGUOUS = 50.0, 2e3, 300.0
"""The cost of a spot beside its distance from the point: per unit of area covered, for a line that crosses another
label, and for lying about as near to another point."""

LINED = 1.6
"""A label further from its point than this many gaps should be joined to it by a line."""


def place_labels(
    points: np.ndarray, sizes: np.ndarray, within: Sequence[float], obstacles: Boxes, gap: float = 6.0
) -> Boxes:
    """A box for each point's label: near it, over no obstacle and no other label.

    Args:
        points: Centres of the points, one row each.
        sizes: Width and height of each label.
        within: The box that labels may lie in.
        obstacles: What they may not cover, as the points and their bars.
        gap: Distance of the nearest spot from the point, and of the search's steps.
    """
    boxes = np.zeros((len(points), 4))
    done: list[int] = []
    # The most crowded choose first: the others find room anyway.
    crowd = [int((np.hypot(*(points - point).T) < 12 * gap).sum()) for point in points]
    for index in sorted(range(len(points)), key=lambda index: -crowd[index]):
        point, others = points[index], np.delete(points, index, axis=0)
        spots = _spots(point, sizes[index], gap)
        inside = (spots[:, :2] >= within[:2]).all(axis=1) & (spots[:, 2:] <= within[2:]).all(axis=1)
        spots = spots[inside] if inside.any() else spots
        near = _nearest(spots, point)
        own = np.hypot(*(near - point).T)
        cost = own + OVERLAP * _overlap(spots, np.concatenate([obstacles, boxes[done]]))
        for other in others:
            # A name far from its point has a line to it, and cannot be mistaken for another's.
            unlined = (own < LINED * gap) & (np.hypot(*(other - point)) > gap)
            cost += AMBIGUOUS * (unlined & (np.hypot(*(_nearest(spots, other) - other).T) <= own + gap / 2))
        for placed in done:
            cost += CROSSING * _crossed(np.broadcast_to(point, near.shape), near, boxes[placed])
            start = np.broadcast_to(points[placed], near.shape)
            end = np.broadcast_to(_nearest(boxes[placed][None], points[placed]), near.shape)
            cost += CROSSING * _crossed(start, end, spots)
        boxes[index] = spots[np.argmin(cost)]
        done.append(index)
    return boxes


def spread(positions: np.ndarray, spacing: float, lowest: float, limits: np.ndarray) -> np.ndarray:
    """Positions in the same order, `spacing` apart, as near to the given ones as that allows.

    Args:
        positions: Where each would be.
        spacing: Least distance of two.
        lowest: None lies below it, as far as the limits allow.
        limits: For each, what it does not lie above.
    """
    order = np.argsort(positions, kind="stable")
    steps = spacing * np.arange(len(positions))
    apart = np.maximum(isotonic_regression(positions[order] - steps).x, lowest) + steps
    for index in range(len(apart) - 1, -1, -1):
        above = apart[index + 1] - spacing if index + 1 < len(apart) else np.inf
        apart[index] = min(apart[index], limits[order][index], above)
    result = np.empty_like(apart)
    result[order] = apart
    return result


def _spots(point: np.ndarray, size: np.ndarray, gap: float) -> Boxes:
    """Where a label may go: in each direction, its near edge or corner at each distance."""
    distance, direction = (grid.ravel() for grid in np.meshgrid(DISTANCES, DIRECTIONS, indexing="ij"))
    across, up = np.cos(direction).round(9), np.sin(direction).round(9)
    centre = point + np.column_stack([
        across * gap * distance + np.sign(across) * size[0] / 2, up * gap * distance + np.sign(up) * size[1] / 2
    ])  # fmt: skip
    return np.hstack([centre - size / 2, centre + size / 2])


def _nearest(boxes: Boxes, point: np.ndarray) -> np.ndarray:
    """The point of each box that is nearest to a point: where a line between them ends."""
    return np.clip(point, boxes[:, :2], boxes[:, 2:])


def _overlap(spots: Boxes, boxes: Boxes) -> np.ndarray:
    """The area of each spot that boxes cover."""
    upper = np.minimum(spots[:, None, 2:], boxes[None, :, 2:])
    lower = np.maximum(spots[:, None, :2], boxes[None, :, :2])
    return np.clip(upper - lower, 0, None).prod(axis=2).sum(axis=1)


def _crossed(start: np.ndarray, end: np.ndarray, boxes: Boxes) -> np.ndarray:
    """Whether each line from start to end passes through its box."""
    along = start[:, None] + np.linspace(0, 1, 24)[None, :, None] * (end - start)[:, None]
    boxes = np.broadcast_to(boxes, (len(start), 4))[:, None]
    inside = (along > boxes[..., :2]) & (along < boxes[..., 2:])
    return (inside.sum(axis=2) == 2).sum(axis=1) > 0
