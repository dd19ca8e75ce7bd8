"""The protocol on one page: all that is needed to do a suite again without its code, from the code's own constants."""

from typing import Any

import numpy as np
from flax import nnx

from bench.data.digits import DRAW_SEEDS, SPLIT_SEED, digits
from bench.planning.protocol import Protocol
from bench.planning.tuning import words as words_of_tuning
from bench.results.judging.comparison import CONFIRMS_FROM
from bench.results.judging.comparison import words as words_of_comparing
from bench.results.judging.score import NEGATIVE_ELBO
from bench.training.arm_trainer import EVALUATION_SEED
from bench.workloads.bases import BASELINE, TRAINABLE
from bench.workloads.digits_dense import digits_dense
from vae_jax.layers.normalization import batch_norm, layer_norm
from vae_jax.models.likelihoods import DOUBT
from vae_jax.recipe.recipe import Recipe

# Of a standard normal cut off at two deviations, what is left of its deviation.
_CUT_AT, _CUT_DEVIATION = 2, 0.87962566103423978


def protocol_page() -> str:
    """The page, in Markdown."""
    workload = digits_dense()
    sizes: Any = workload.architecture
    protocol, data = Protocol(workload.steps), digits()
    plateau = workload.plateau(data, data.test)
    counts = " / ".join(f"{len(rows):,}" for rows in (data.train, data.validation, data.test))
    sections = {
        "Data": [
            "`digits-dense` takes scikit-learn's `load_digits`: "
            f"{sum(map(len, (data.train, data.validation, data.test))):,} images of 8 x 8, divided by 16, in float32.",
            f"The split, {counts}: `train_test_split(range(1797), test_size=540, stratify=labels, "
            f"random_state={SPLIT_SEED})`, then the 540 into halves the same way, the second half for test.",
            "In training an image is binarised anew in every step: a pixel is 1 with the probability of its intensity.",
            "Validation and test are binarised once: `numpy.random.default_rng(s).random((270, 64)) < intensity`, "
            f"with s = {DRAW_SEEDS['validation']} for validation and {DRAW_SEEDS['test']} for test; the draws are "
            "float64, the intensities float32.",
            "The encoder sees x minus the mean of the training intensities, pixel by pixel; the target is x itself.",
            f"The plateau is -log p of independent pixels with p = (sum of the training intensities + 1/2) / ("
            f"{len(data.train):,} + 1): {plateau:.2f} nats on test.",
        ],
        "Model": [
            f"Encoder: 64 -> {sizes.width}, {sizes.depth} blocks {sizes.width} -> {sizes.width}, each an affine map "
            f"and the activation, and a linear head to mean and log-variance of z ({sizes.latent} each, unclipped). "
            f"Decoder: {sizes.latent} -> {sizes.width}, {sizes.depth} blocks, a linear head to 64 logits. Hidden "
            "layer 0 is the input layer; blocks are counted from 1.",
            f"The decoder's output bias starts at logit(clip(mean of the training intensities, {DOUBT:g}, "
            f"{1 - DOUBT:g})), in every arm; all other biases at 0.",
            f"`baseline`: {_base(BASELINE)}. Glorot's uniform draw is U(-a, a) with a = sqrt(6 / (inputs + outputs)).",
            f"`trainable`: {_base(TRAINABLE)}.",
            f"A truncated normal is cut at {_CUT_AT} standard deviations and divided by {_CUT_DEVIATION:.4f}, so that "
            "its standard deviation is the one that was asked for (`he_normal`, `lecun_normal`).",
            f"{_normalizations()}",
        ],
        "A training": [
            f"Minibatches of {workload.batch}: every epoch is a permutation of its own of the training set, laid end "
            "to end, so that a batch may span two epochs and none is short.",
            "The loss is the mean over the batch of reconstruction (summed over pixels) plus KL weight times KL "
            "(summed over z, in closed form), with one draw of z for each example.",
            "Keys come from the training's seed by name, so that two arms of one seed share initial draws, "
            "minibatches and noise wherever their shapes allow; a layer of another shape draws other weights.",
            f"Instruments read step 0 and every {protocol.record_every}th step: the gradient is that of the step's own "
            "minibatch, at the parameters before the step and the step's KL weight, of each example's own loss (not "
            "divided by the batch). What is said of the start is step 0's.",
            f"Validation is judged every {protocol.validate_every} steps.",
        ],
        "Figures": [
            f"-ELBO on validation and test: KL weight 1, {protocol.draws} draws of z for each example with one key "
            f"(seed {EVALUATION_SEED:,}) for every arm and seed, averaged; dropout off; batch statistics from one pass "
            "over the whole training set.",
            f"The importance-weighted bound has {protocol.importance_samples} draws of z; log-mean-exp per example, "
            "then the mean over examples.",
            *protocol.words(NEGATIVE_ELBO),
        ],
        "Tuning": words_of_tuning(protocol, workload.score, workload.left),
        "Comparisons": [
            *words_of_comparing(workload.score, plateau, protocol.seeds),
            f"With fewer than {CONFIRMS_FROM} seeds Benjamini and Hochberg's correction takes the place of Holm's, and "
            "every word says `screened`.",
            "Of how many seeds left the plateau the interval is Clopper and Pearson's; the step of escape is Kaplan "
            "and Meier's median over seeds, which are censored at their last validation.",
        ],
    }
    lines = [
        "# The protocol",
        "",
        "What every suite does, with the numbers of `quick` on `digits-dense`; made by `python -m bench protocol` from "
        "the constants that compute it.",
    ]
    for title, sentences in sections.items():
        lines += ["", f"## {title}", "", *(f"- {sentence}" for sentence in sentences)]
    return "\n".join([*lines, ""])


def _base(recipe: Recipe) -> str:
    said = recipe.describe()

    def short(name: str) -> str:
        return name.rpartition(".")[2] if not name.replace(".", "").isdecimal() else name

    def text(value: Any) -> str:
        if isinstance(value, dict):
            named = ", ".join(f"{name}={each}" for name, each in value.items() if name != "function")
            return f"{short(value.get('function', ''))}({named})"
        return short(str(value))

    names = ("activation", "kernel_init", "optimizer", "learning_rate")
    return ", ".join(f"{name.replace('_', ' ')} {text(said[name])}" for name in names)


def _normalizations() -> str:
    batch, layer = batch_norm(2), layer_norm(2)
    # Its own word for what it divides by, asked of it: a column of -1 and 1 has biased variance 1 and unbiased 2.
    assert isinstance(batch, nnx.BatchNorm)
    normalized = float(np.asarray(batch(np.asarray([[-1.0, 0], [1.0, 0]], np.float32)))[1, 0])
    biased = abs(normalized - 1) < 1e-3
    return (
        f"Batch normalization adds {batch.epsilon:g} to a {'biased' if biased else 'unbiased'} variance, and layer "
        f"normalization {layer.epsilon:g}; scale 1 and shift 0 at the start, after the affine map and before the "
        "activation."
    )
