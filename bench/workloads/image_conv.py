"""Images through convolutions: a deep stack of sigmoid layers, and a published network that stalls."""

from collections.abc import Callable
from dataclasses import replace

import jax
import optax

from bench.data.dataset import Dataset
from bench.data.digits import independent_pixels
from bench.data.images import flat_images, images, mean_image, picture, usual_binarisation
from bench.language.errors import InputError
from bench.plugins.workload import Workload, workload
from bench.results.judging.score import squared_error
from bench.workloads.bases import BASELINE, TRAINABLE
from vae_jax.layers.noise import dropout
from vae_jax.models.likelihoods import UntoldSquares
from vae_jax.models.presentations import AsStored, Binarised, Uncentred
from vae_jax.models.vae import VAEArchitecture
from vae_jax.recipe.configured import configure
from vae_jax.towers.convolutional import Convolutional, Stage

NETWORKS = ("deep", "deepobs")

# What DeepOBS published of its runs was trained with the rates that were best on one seed of 36 tried.
_DEEPOBS = BASELINE.replace(
    activation=configure(jax.nn.leaky_relu, negative_slope=0.3), hidden_noise=configure(dropout, rate=0.2)
)
DEEPOBS = {
    "baseline": _DEEPOBS.replace(optimizer=configure(optax.sgd, momentum=0.99), learning_rate=10**-4.6),
    "sgd": _DEEPOBS.replace(learning_rate=10**-2.4),
    "trainable": _DEEPOBS.replace(optimizer=configure(optax.adam, b1=0.9, b2=0.999, eps=1e-8), learning_rate=10**-3.8),
}

# Of ten thousand images a validation would take longer than the training from one to the next.
_VALIDATED = 1000


@workload
def image_conv(
    *,
    data: str = "digits",
    network: str = "deep",
    channels: int = 16,
    layers: int = 3,
    latent: int = 8,
    binarisation: str = "usual",
    examples: int = 0,
    in_blocks: bool = False,
    batch: int = 128,
    steps: int = 1500,
) -> Workload:
    """Images through towers of convolutions: the gradient vanishes through depth, as on digits-dense.

    The encoder halves the image's sides twice, each time for so many `layers` of 3x3 sigmoid convolutions; the decoder
    makes the smallest image of z by a dense layer, and has as many layers there and, by a transposed convolution, at
    twice the sides. Heads are dense. Images are binarised `anew` at every presentation, as is usual under a Bernoulli
    likelihood, once (`fixed`), or not at all (`none`). `in_blocks=true` is as on image-dense.

    `[network=deepobs,data=mnist,batch=64]` is the VAE of the optimizer benchmark DeepOBS: leaky ReLU 0.3, dropout 0.2,
    three 4x4 convolutions of 64 channels each way, squared error of sigmoid outputs, summed over pixels, + KL. What
    differs here is that 10,000 of MNIST's 60,000 training images are kept from training: of them a thousand, evenly
    spaced, are the validation set. The output bias starts at zero, in every arm, as there. Where it started at the mean
    image, as everywhere else here, Adam sat there at KL 0 for 4,500 of 4,688 steps from one seed, and left within 500
    from another. After those 4,688 steps, 6 epochs of 50,000 images, one seed each
    (`results/reference/taught/deepobs`): Adam 30.97, where the ten published seeds lie between 30.6 and 31.2 after as
    many steps; momentum 52.94, collapsed, where they lie between 52.9 and 53.0.

    Why it vanishes: as on digits-dense, a sigmoid's slope is at most 1/4; Glorot's weights count a kernel's positions
    in both fans, so within an image a convolution multiplies the mean square of dL/dh by 0.056 as a dense layer does,
    and at the border, where zeros stand for what is not there, by less. DeepOBS's network is shallow and its slopes are
    large: in all 10 of its published MNIST runs with momentum, and in 4 of 10 with SGD, it is at the mean image at KL 0
    after 50 epochs; nothing is left of z before the decoder has learnt to read it. Its bases are trained as published:
    `baseline` with momentum 0.99 at 2.5e-5, `sgd` at 4e-3, `trainable` by Adam at 1.6e-4.

    Where the baseline must sit: on independent pixels fitted to the training set, and DeepOBS's on the mean image's
    squared error, at KL 0.
    """
    if network not in NETWORKS:
        raise InputError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}")
    found = images(data, examples, in_blocks=in_blocks, unit_interval=True)
    if len(found.shape) != 2:
        raise InputError(f"data {data!r} are images of {len(found.shape)} axes, and this workload is of grey ones: two")
    height, width = found.shape
    if network == "deepobs":
        if (channels, layers, binarisation) != (16, 3, "usual"):
            raise InputError(
                "network=deepobs has channels, layers and intensities of its own: leave channels, layers and "
                "binarisation out"
            )
        encoder = Convolutional((height, width, 1), (Stage(64, 1, 2), Stage(64, 2, 2)), size=4)
        first = Stage(64, 2, 2, rectified=True)
        decoder = Convolutional(
            (7, 7, 1), (first, Stage(64, rectified=True, noise=False)), size=4, transposed=True, dense=(24, 49),
            dense_noise=False,
        )  # fmt: skip
        return Workload(
            architecture=VAEArchitecture(
                height * width,
                2,
                64,
                latent,
                UntoldSquares(sigmoid=True),
                encoder,
                decoder,
                Uncentred(),
            ),
            bases=DEEPOBS,
            steps=steps,
            batch=batch,
            data=_validated_on_few(flat_images(found, "none")),
            plateau=mean_image,
            score=squared_error("squared error + KL", "per image", height * width),
            medium=picture(found),
        )
    binarisation = usual_binarisation(binarisation, bernoulli=True)
    if min(channels, layers) < 1:
        raise InputError(f"channels and layers must be at least 1, got {channels} and {layers}")
    same, other = Stage(channels, layers), Stage(channels, layers, stride=2)
    # Sides halved twice, rounded up.
    smallest = (-(-height // 4), -(-width // 4), channels)
    return Workload(
        architecture=VAEArchitecture(
            height * width, 2 * layers - 1, channels, latent,
            encoder=Convolutional((height, width, 1), (other, other)),
            decoder=Convolutional(
                smallest, (same, other), transposed=True, dense=(smallest[0] * smallest[1] * channels,)
            ),
            presentation=Binarised() if binarisation == "anew" else AsStored(),
        ),
        bases={"baseline": BASELINE, "trainable": TRAINABLE},
        steps=steps,
        batch=batch,
        data=_validated_on_few(flat_images(found, binarisation)),
        plateau=independent_pixels,
        medium=picture(found),
    )  # fmt: skip


def _validated_on_few(load: Callable[[], Dataset]) -> Callable[[], Dataset]:
    def loaded() -> Dataset:
        data = load()
        return replace(data, validation=data.validation[:: max(1, len(data.validation) // _VALIDATED)])

    return loaded
