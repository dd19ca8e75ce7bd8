"""Fashion-MNIST: MNIST's files with clothes in them."""

from bench.data.named_data import named_data
from bench.data.sets.mnist import idx_file, labelled_images
from bench.data.splits import Arrays, Splits

_ADDRESSES = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)


@named_data(
    kind="images",
    shape=(28, 28),
    classes=10,
    examples=70_000,
    licence="MIT",
    files=tuple(
        idx_file("fashion-mnist", name, size, sha256, _ADDRESSES)
        for name, size, sha256 in (
            (
                "train-images-idx3-ubyte", 26_421_880,
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            ), (
                "train-labels-idx1-ubyte", 29_515,
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ), (
                "t10k-images-idx3-ubyte", 4_422_102,
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            ), (
                "t10k-labels-idx1-ubyte", 5_148,
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        )
    ),
)  # fmt: skip
def fashion_mnist(train: bytes, train_labels: bytes, test: bytes, test_labels: bytes) -> Splits[Arrays]:
    """70,000 pictures of clothes of 28 x 28 grey pixels, in ten classes.

    Source:
        Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747; (c) 2017 Zalando SE.
    """
    return labelled_images(train, train_labels, test, test_labels)
