"""Digits through a deep stack of sigmoid layers."""

from bench.data.digits import SPLIT_SEED, digits, independent_pixels
from bench.data.reading.medium import Images
from bench.plugins.workload import Workload, workload
from bench.workloads.bases import BASELINE, TRAINABLE
from vae_jax.models.vae import VAEArchitecture


@workload
def digits_dense(
    *, depth: int = 8, width: int = 64, latent: int = 8, batch: int = 128, steps: int = 1500, split: int = SPLIT_SEED
) -> Workload:
    """1,797 real 8x8 digits, dense towers of sigmoid layers: the gradient vanishes through depth.

    Why it vanishes: a sigmoid's slope is at most 1/4, and with Glorot's weights (variance 1/width between layers of one
    width) a block multiplies the mean square of dL/dh by chi = E[phi'(z)^2] = 0.056 on average, so the norm shrinks to
    0.24 of itself in every block: over the seven steps from the last of 8 blocks to the first, to about 1e-4 or less.
    On the way forward sigmoid layers pull all examples to one point, so the last block can hardly tell two digits
    apart. Through encoder and decoder together nothing of the reconstruction's gradient reaches the pixels' end.

    Where the baseline must sit: the output layer's bias still learns, as it is one layer from the loss. With it alone
    the decoder is a set of independent pixels, so -ELBO ends on the *plateau*: minus the test log-likelihood, on the
    same fixed test draw, of independent pixels fitted to the training set, at KL 0. An arm below it has learnt
    something about digits; an arm on it has not, however healthy its gradient norms look.

    Another `split` is another draw of which digits are trained on and tested on, and of the test images' pixels: it
    moves the plateau itself by some tenths of a nat, and what is gained below it much less.
    """
    return Workload(
        architecture=VAEArchitecture(data=64, depth=depth, width=width, latent=latent),
        bases={"baseline": BASELINE, "trainable": TRAINABLE},
        steps=steps,
        batch=batch,
        data=lambda: digits(split),
        plateau=independent_pixels,
        medium=Images((8, 8)),
    )
