"""The digits that come with scikit-learn, which need no download."""

from bench.data.digits import digit_images
from bench.data.named_data import named_data
from bench.data.splits import Arrays, Splits


@named_data(kind="images", shape=(8, 8), classes=10, examples=1_797, licence="none stated")
def digits() -> Splits[Arrays]:
    """1,797 handwritten digits of 8 x 8 grey pixels with their labels, split at random, each digit in its share.

    Source:
        Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits (its test part), as in scikit-learn.
    """
    return digit_images()
