"""Linear data through deep linear towers: the one setting where every figure has an exact value."""

import jax
import numpy as np
import optax

from bench.data.dataset import Dataset, Examples, Rows
from bench.data.reading.medium import Values
from bench.plugins.workload import Workload, workload
from vae_jax.initialization.initializers import orthogonal
from vae_jax.models.likelihoods import Gaussian
from vae_jax.models.vae import VAEArchitecture
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe
from vae_jax.theory.linear_gaussian import LinearGaussian

# Squared lengths of the orthogonal columns of W, and the data's own noise: eigenvalues 8.01, 4.01, ... 0.0725, 0.01.
COLUMN_VARIANCES = 2.0 ** np.arange(3, -5, -1)
NOISE = 0.1

_SEED = 0
_EXAMPLES = {"train": 2048, "validation": 512, "test": 1024}

BASELINE = Recipe().replace(activation=jax.nn.identity, kernel_init=configure(orthogonal, scale=0.25))
TRAINABLE = BASELINE.replace(
    kernel_init=configure(orthogonal, scale=1.0),
    optimizer=configure(optax.adam, b1=0.9, b2=0.999, eps=1e-8),
    learning_rate=1e-3,
)


@workload
def linear(
    *,
    data: int = 16,
    depth: int = 8,
    width: int = 32,
    latent: int = 8,
    standard_deviation: float = 0.6,
    batch: int = 128,
    steps: int = 1500,
) -> Workload:
    """Gaussian data of a known W and noise, deep linear towers: the gradient vanishes at an exact rate.

    Why it vanishes: without activations a block is its kernel, and the baseline's are 1/4 of an orthogonal matrix. So
    at initialization dL/dh shrinks to exactly 0.25 of itself in every block, 6e-5 over the seven steps from the last of
    8 blocks to the first, and the towers multiply all signals by 0.25 in every layer: 1e-12 from end to end. The
    trainable base is the same with orthogonal kernels, whose ratio is exactly 1, and Adam.

    What is exact: log p(x), the posterior, the bound and its gap (`vae_jax.theory.linear_gaussian`). The likelihood is
    a Gaussian of fixed standard deviation; as many units are active at the optimum as eigenvalues of the data's
    covariance lie above its square: 5 of 8 at 0.6, and the rest have collapsed for good. So the standard deviation is a
    dial for posterior collapse. The eigenvalues are 8, 4, 2 and so on to 1/16, plus 0.01, and 0.01 in the
    dimensions that are left.

    Where the baseline must sit: on independent Gaussians of that standard deviation around the training mean, at KL 0.
    That is 29.3 nats of -ELBO on test by default, where the optimum has 14.1; of many dimensions and a small standard
    deviation it is negative.
    """
    if data < len(COLUMN_VARIANCES):
        raise ValueError(f"data must be at least {len(COLUMN_VARIANCES)}, got {data}")
    if not standard_deviation > 0:
        raise ValueError(f"standard_deviation must be above 0, got {standard_deviation:g}")
    eigenvalues = np.append(COLUMN_VARIANCES, 0) + NOISE**2
    close = eigenvalues[abs(eigenvalues / standard_deviation**2 - 1) < 0.05]
    if close.size:
        raise ValueError(
            f"standard_deviation {standard_deviation:g} has a square within 5 % of the data's eigenvalue {close[0]:g}, "
            "so the number of active units is left to chance: move it away"
        )

    def load() -> Dataset:
        return linear_data(data)

    def plateau(dataset: Dataset, x: Examples) -> float:
        ignorant = LinearGaussian(np.zeros((data, 0)), dataset.mean.astype(float), standard_deviation)
        return -float(ignorant.log_prob(x).mean())

    return Workload(
        architecture=VAEArchitecture(data, depth, width, latent, Gaussian(standard_deviation)),
        bases={"baseline": BASELINE, "trainable": TRAINABLE},
        steps=steps,
        batch=batch,
        data=load,
        plateau=plateau,
        medium=Values(data),
    )


def linear_data(dimensions: int) -> Dataset:
    """The same draws of the same model every time: W has orthogonal columns in random directions, the mean is not 0."""
    generator = np.random.default_rng(_SEED)
    directions = np.linalg.qr(generator.normal(size=(dimensions, len(COLUMN_VARIANCES))))[0]
    model = LinearGaussian(directions * np.sqrt(COLUMN_VARIANCES), generator.normal(size=dimensions), NOISE)
    rows: dict[str, Rows] = {
        split: model.sample(generator, examples).astype(np.float32) for split, examples in _EXAMPLES.items()
    }
    return Dataset(**rows)
