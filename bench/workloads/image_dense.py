"""Images through dense towers of any widths."""

from bench.data.dataset import Dataset, Examples
from bench.data.digits import independent_pixels
from bench.data.images import flat_images, images, mean_image, picture, usual_binarisation
from bench.language.errors import InputError
from bench.language.widths import widths as layers
from bench.plugins.workload import Workload, workload
from bench.results.judging.score import NEGATIVE_ELBO, Score, squared_error
from bench.workloads.bases import BASELINE, TRAINABLE
from vae_jax.models.likelihoods import Bernoulli, Likelihood, SquaredError
from vae_jax.models.presentations import AsStored, Binarised
from vae_jax.models.vae import VAEArchitecture
from vae_jax.towers.tapered import Tapered

LIKELIHOODS = ("bernoulli", "mse", "mse-averaged")


@workload
def image_dense(
    *,
    data: str = "digits",
    widths: str = "64x9",
    latent: int = 8,
    likelihood: str = "bernoulli",
    binarisation: str = "usual",
    examples: int = 0,
    in_blocks: bool = False,
    batch: int = 128,
    steps: int = 1500,
) -> Workload:
    """Images through dense towers of any widths: the gradient vanishes through depth, as on digits-dense.

    `widths` are the encoder's hidden layers from the pixels on, and the decoder's in reverse. The networks that
    tutorials teach are `[data=mnist,widths=500,latent=30]`, and with a squared error
    `[data=mnist,widths=128-64,latent=20,likelihood=mse]`; `[data=mnist,widths=128x16,latent=16]` is a deep one.

    Images are binarised `anew` at every presentation, once (`fixed`), or not at all (`none`): as is usual, anew under a
    Bernoulli likelihood and not under a squared error. `in_blocks=true` is for a file of your own whose images follow
    each other in time: each split then is made of contiguous blocks.

    Why it vanishes: as on digits-dense, a sigmoid's slope is at most 1/4. With `likelihood=mse-averaged` the squared
    error is averaged over pixels beside a KL that is summed over units: an accidental beta of as many as there are
    pixels, under which the posterior collapses however well the gradient flows.

    Where the baseline must sit: on independent pixels fitted to the training set, or on the mean image's squared
    error, at KL 0.
    """
    own = layers(widths)
    binarisation = usual_binarisation(binarisation, likelihood == "bernoulli")
    probabilities = likelihood == "bernoulli" or binarisation != "none"
    found = images(data, examples, in_blocks=in_blocks, unit_interval=probabilities, tables=True)
    columns = found.numbers
    kind, score = _likelihood(likelihood, columns)

    def error_of_mean(dataset: Dataset, x: Examples) -> float:
        return mean_image(dataset, x) / (columns if likelihood == "mse-averaged" else 1)

    return Workload(
        architecture=VAEArchitecture(
            columns, len(own) - 1, own[0], latent, kind, Tapered(own), Tapered(own[::-1]),
            Binarised() if binarisation == "anew" else AsStored(),
        ),
        bases={"baseline": BASELINE, "trainable": TRAINABLE},
        steps=steps,
        batch=batch,
        data=flat_images(found, binarisation),
        plateau=independent_pixels if likelihood == "bernoulli" else error_of_mean,
        score=score,
        medium=picture(found),
    )  # fmt: skip


def _likelihood(name: str, columns: int) -> tuple[Likelihood, Score]:
    if name not in LIKELIHOODS:
        raise InputError(f"likelihood must be one of {', '.join(LIKELIHOODS)}, got {name!r}")
    if name == "bernoulli":
        return Bernoulli(), NEGATIVE_ELBO
    if name == "mse":
        return SquaredError(), squared_error("squared error + KL", "per image", columns)
    return SquaredError(averaged=True), squared_error("squared error + KL", "per pixel", 1)
