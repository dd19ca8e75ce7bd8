"""The linear VAE, or probabilistic principal component analysis: where all that is estimated elsewhere is exact.

In float64 on the host: this is the reference that estimators are judged against.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

Examples = Float[np.ndarray, "examples data"]


@dataclass(frozen=True)
class LinearGaussian:
    """x = mean + loadings z + noise, with z ~ N(0, I) and noise ~ N(0, standard_deviation^2 I).

    Attributes:
        loadings: W. With no column it is what a decoder that ignores z can reach.
        mean: Mean of x.
        standard_deviation: sigma, above 0: of the noise, in every dimension.

    Source:
        Tipping & Bishop 1999, "Probabilistic principal component analysis"; as a VAE, Lucas et al. 2019,
        arXiv:1911.02469.
    """

    loadings: Float[np.ndarray, "data latent"]
    mean: Float[np.ndarray, " data"]
    standard_deviation: float

    def __post_init__(self):
        if not self.standard_deviation > 0:
            raise ValueError(
                f"standard_deviation must be above 0, got {self.standard_deviation:g}: "
                "without noise the data have no density"
            )

    @property
    def covariance(self) -> Float[np.ndarray, "data data"]:
        """Covariance of x: W W^T + sigma^2 I."""
        return self.loadings @ self.loadings.T + self.standard_deviation**2 * np.eye(len(self.mean))

    def sample(self, generator: np.random.Generator, examples: int) -> Examples:
        """Independent draws of x."""
        z = generator.normal(size=(examples, self.loadings.shape[1]))
        noise = generator.normal(size=(examples, len(self.mean)))
        return self.mean + z @ self.loadings.T + self.standard_deviation * noise

    def log_prob(self, x: Examples) -> Float[np.ndarray, " examples"]:
        """Exact log p(x) per example, in nats: the density of N(mean, covariance)."""
        # scipy's stubs take the covariance for an integer.
        return np.atleast_1d(stats.multivariate_normal.logpdf(x, self.mean, self.covariance))  # type: ignore

    def posterior(self, x: Examples) -> tuple[Float[np.ndarray, "examples latent"], Float[np.ndarray, "latent latent"]]:
        """Exact posterior p(z|x), which no other encoder beats: means, and the covariance that all x share.

        The covariance is (I + W^T W / sigma^2)^-1, the mean that times W^T (x - mean) / sigma^2.
        """
        precision = self.loadings.T @ self.loadings / self.standard_deviation**2
        covariance = np.linalg.inv(np.eye(len(precision)) + precision)
        return (x - self.mean) @ self.loadings @ covariance / self.standard_deviation**2, covariance

    def elbo(
        self,
        x: Examples,
        posterior_mean: Float[np.ndarray, "examples latent"],
        posterior_covariance: Float[np.ndarray, "latent latent"],
    ) -> Float[np.ndarray, " examples"]:
        """Exact evidence lower bound per example, in nats, for Gaussian posteriors of one covariance.

        Both expectations have a closed form: E|x - mean - W z|^2 = |x - mean - W m|^2 + tr(W S W^T), and the KL
        divergence between Gaussians.
        """
        variance = self.standard_deviation**2
        error = x - self.mean - posterior_mean @ self.loadings.T
        spread = np.trace(self.loadings @ posterior_covariance @ self.loadings.T)
        dimensions = len(self.mean)
        expected = -0.5 * (dimensions * np.log(2 * np.pi * variance) + ((error**2).sum(axis=1) + spread) / variance)
        latent = len(posterior_covariance)
        entropy = np.linalg.slogdet(posterior_covariance)[1]
        return expected - 0.5 * (np.trace(posterior_covariance) + (posterior_mean**2).sum(axis=1) - latent - entropy)


def spectrum(x: Examples) -> Float[np.ndarray, " data"]:
    """Eigenvalues of the examples' covariance (mean square, not N - 1: the likeliest one), the largest first."""
    return np.linalg.eigvalsh(np.cov(x, rowvar=False, bias=True))[::-1]


def active_dimensions(x: Examples, standard_deviation: float) -> int:
    """How many latent units the likeliest model with this noise uses: the eigenvalues above its variance.

    Source:
        Lucas et al. 2019, arXiv:1911.02469, section 4.
    """
    return int((spectrum(x) > standard_deviation**2).sum())


def maximum_likelihood(x: Examples, latent: int, standard_deviation: float) -> LinearGaussian:
    """The likeliest model of the examples at a fixed noise: W = U (Lambda - sigma^2 I)^(1/2), its columns orthogonal.

    A direction whose eigenvalue is below sigma^2 gets a column of zeros: that unit's posterior is the prior. W may be
    followed by any rotation; without one the exact posterior is diagonal, as a VAE's is.

    Args:
        x: Examples.
        latent: Columns of W, at most the data's dimensions.
        standard_deviation: sigma.

    Raises:
        ValueError: If there are more columns than dimensions.

    Source:
        Tipping & Bishop 1999, appendix A, with sigma held fixed.
    """
    if latent > x.shape[1]:
        raise ValueError(f"latent must be at most the data's {x.shape[1]} dimensions, got {latent}")
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False, bias=True))
    loadings = vectors * np.sqrt(np.maximum(values - standard_deviation**2, 0))
    return LinearGaussian(loadings[:, ::-1][:, :latent], x.mean(axis=0), standard_deviation)
