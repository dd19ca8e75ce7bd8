import numpy as np
from sklearn.datasets import load_digits

from bench.data.digits import digits, independent_pixels


def test_digits_are_split_once_and_for_all():
    data = digits()
    assert [len(data.train), len(data.validation), len(data.test)] == [1257, 270, 270]
    assert data.train.dtype == np.float32
    assert data.train.min() == 0
    assert data.train.max() == 1
    again = digits()
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(data, split), getattr(again, split))
    assert set(np.unique(data.test)) == {0.0, 1.0}


def test_the_split_is_stratified():
    images, labels = load_digits(return_X_y=True)
    label = {image.tobytes(): digit for image, digit in zip((images / 16).astype(np.float32), labels, strict=True)}
    counts = np.bincount([label[image.tobytes()] for image in digits().train], minlength=10)
    np.testing.assert_allclose(counts / 1257, np.bincount(labels) / 1797, atol=1 / 1257)


def test_the_plateau_is_what_a_loop_over_pixels_says():
    data = digits()
    total = 0.0
    for pixel in range(64):
        p = (data.train[:, pixel].astype(float).sum() + 0.5) / 1258
        lit = data.test[:, pixel].sum()
        total -= lit * np.log(p) + (270 - lit) * np.log(1 - p)
    found = independent_pixels(data, data.test)
    np.testing.assert_allclose(found, total / 270, rtol=1e-9)
    assert 27.1 < found < 27.3
