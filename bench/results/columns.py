"""The columns of the summary, in their order: each a function of one cell. No jax."""

import math
from typing import Any

from bench.language.figures import fixed, significant, thousands
from bench.results.column import ALWAYS, NEVER, Column, column
from bench.results.results import Row, geometric_mean
from bench.results.score import NEGATIVE_LOG_LIKELIHOOD
from bench.results.statistics import CONFIDENCE, Interval, interval_text


def row_interval(row: Any) -> Interval:
    """The interval of a table's row."""
    values = (row.score, row.score_low, row.score_high)
    return Interval(*(math.nan if value is None else value for value in values))


@column(unit="", title="workload", terminal=ALWAYS, planned=True,
        says="data, model shape and steps that the arm was trained on")  # fmt: skip
def workload(row: Row) -> str:
    return row.cell.workload


@column(unit="", title="arm", terminal=ALWAYS, planned=True, says="base and remedies, as on the command line")
def arm(row: Row) -> str:
    return row.cell.arm


def _status(row: Any) -> str:
    return f"{row.status} ({row.seeds_diverged} of {row.seeds} seeds)" if row.seeds_diverged else row.status


@column(unit="", title="status", terminal=ALWAYS, planned=True, text=_status,
        says="`ok`, `diverged`, `timeout`, `out of memory`, `failed`, `not applicable` (changes nothing here), "
        "`missing` (not run yet)")  # fmt: skip
def status(row: Row) -> str:
    return row.status


@column(unit="the score's, per example", title=f"{{score}}, {{unit}} [{CONFIDENCE:.0%}]", terminal=ALWAYS,
        text=lambda row: interval_text(row_interval(row)),
        says="mean over seeds of what the workload is judged by: -ELBO in nats, of a model without z its own score in "
        "its own unit, as `plan.json` names it; lower is better")  # fmt: skip
def score(row: Row) -> float:
    return row.over_seeds("score").mean


@column(unit="the score's, per example", title="",
        says="lower end of its 95 % Student t interval over seeds; empty with one seed")  # fmt: skip
def score_low(row: Row) -> float:
    return row.over_seeds("score").low


@column(unit="the score's, per example", title="", says="upper end of that interval")
def score_high(row: Row) -> float:
    return row.over_seeds("score").high


@column(unit="the score's, per example", title="", planned=True,
        says="the score of an arm that has learnt nothing about the data: of a VAE, of a decoder that ignores "
        "z")  # fmt: skip
def plateau(row: Row) -> float:
    return row.plateau


@column(unit="the score's, per example", title="", planned=True,
        says="the same on validation, where the curves over steps are measured")  # fmt: skip
def plateau_validation(row: Row) -> float | None:
    return row.plateau_validation


@column(unit="true or false", title="",
        says="left the plateau by the workload's rule, with the whole interval of each figure that the rule asks for: "
        "for most, the score lies below the plateau by more than a margin (0.2 nats of -ELBO); of an autoregressive "
        "decoder, z shuffled between examples costs more than 0.5 nats and KL is above 0.5; empty without an "
        "interval")  # fmt: skip
def left(row: Row) -> bool | None:
    return row.left


@column(unit="true or false", title="",
        says="the score lies below the plateau by more than the margin, and KL below 0.01 nats: x reaches the decoder "
        "past z, so that it is not ranked")  # fmt: skip
def past_z(row: Row) -> bool:
    return row.past_z


@column(unit="the score's, per example", title="reconstruction, {unit}", terminal=NEVER,
        text=lambda row: fixed(row.reconstruction),
        says="minus the reconstruction log-likelihood; with `kl_nats`, where there is a z, it makes up "
        "`score`")  # fmt: skip
def reconstruction(row: Row) -> float:
    return row.over_seeds("reconstruction").mean


@column(unit="nats per example", title="",
        says="the reconstruction where each example is given the z of another: what that costs more is what z tells; "
        "of autoregressive decoders alone")  # fmt: skip
def shuffled(row: Row) -> float:
    return row.over_seeds("shuffled").mean


@column(unit="nats per example", title="z is worth, nats", terminal=5, text=lambda row: fixed(row.worth_of_z),
        says="what the reconstruction costs more where each example is given the z, or the code, of another; of "
        "autoregressive decoders alone")  # fmt: skip
def worth_of_z(row: Row) -> float:
    return row.over_seeds("shuffled").mean - row.over_seeds("reconstruction").mean


@column(unit="per token", title="perplexity", terminal=3, text=lambda row: fixed(row.perplexity),
        says="of text, exp(NLL / tokens): of a VAE minus the importance-weighted bound, of a language model its score, "
        "ends of sentences counted as tokens")  # fmt: skip
def perplexity(row: Row) -> float | None:
    exact = row.workload.score == NEGATIVE_LOG_LIKELIHOOD
    nats = row.over_seeds("score" if exact else "importance_weighted").mean
    return None if row.workload.tokens is None else math.exp(nats / row.workload.tokens)


@column(unit="share", title="accuracy", terminal=4, text=lambda row: fixed(row.accuracy, 3),
        says="share of classes, or of symbols of a text, of which the likeliest is the right one; of such likelihoods "
        "alone")  # fmt: skip
def accuracy(row: Row) -> float:
    return row.over_seeds("accuracy").mean


@column(unit="nats per example", title="KL, nats", terminal=4, text=lambda row: fixed(row.kl_nats),
        says="KL divergence of the posterior from the prior; near 0 the posterior has collapsed")  # fmt: skip
def kl_nats(row: Row) -> float:
    return row.over_seeds("kl_nats").mean


@column(unit="count", title="active units", terminal=1, text=lambda row: fixed(row.active_units, 1),
        says="units of z whose posterior mean varies by more than 0.01 over the test set, mean over seeds")  # fmt: skip
def active_units(row: Row) -> float:
    return row.over_seeds("active_units").mean


@column(unit="", title="verdict", terminal=6,
        text=lambda row: f"{row.verdict} {row.verdict_seeds}/{row.seeds}" if row.verdict else "",
        says="the commonest verdict over seeds: `healthy`, `vanishing`, `exploding`, `saturated`, `dead signal`, "
        "`collapsed`; the page has the rules, and the figure that decided each seed")  # fmt: skip
def verdict(row: Row) -> str:
    return row.record.verdict


@column(unit="count", title="", says="seeds of that verdict")
def verdict_seeds(row: Row) -> int:
    return row.record.verdict_seeds


def _blame(row: Any) -> str:
    if not row.blame:
        return ""
    # A factor that no number holds: nothing comes back otherwise.
    return f"{row.blame} inf" if row.blame_factor is None else f"{row.blame} {significant(row.blame_factor)}x"


@column(unit="", title="to blame", terminal=NEVER, text=_blame,
        says="of a gradient that does not arrive: the block, or the kind of step in all blocks, whose Jacobian "
        "replaced by the identity brings most of it back at the first layer, at initialisation")  # fmt: skip
def blame(row: Row) -> str:
    return row.record.blame.block or row.record.blame.kind if row.record.blame else ""


@column(unit="ratio", title="", says="how many times more of the gradient comes back without it")
def blame_factor(row: Row) -> float | None:
    return row.record.blame and row.record.blame.factor


@column(unit="nats per example", title="importance-weighted, nats", terminal=NEVER,
        text=lambda row: fixed(row.importance_weighted),
        says="minus the importance-weighted bound with 100 draws per example (`kl_units`, its standard error and "
        "effective samples are in the cell's record)")  # fmt: skip
def importance_weighted(row: Row) -> float:
    return row.over_seeds("importance_weighted").mean


@column(unit="nats", title="mutual information, nats", terminal=NEVER, text=lambda row: fixed(row.mutual_information),
        says="between x and z under the posterior, over the training examples where the test set has fewer than 512; "
        "at most the logarithm of their number")  # fmt: skip
def mutual_information(row: Row) -> float:
    return row.over_seeds("mutual_information").mean


@column(unit="ratio", title="gradient ratio, init", terminal=3,
        says="rms dL/dh at the encoder's first block over that at its last, at initialisation; geometric mean over "
        "seeds")  # fmt: skip
def gradient_ratio_init(row: Row) -> float:
    return row.geometric_mean("gradient_ratio_init")


@column(unit="ratio", title="gradient ratio, end", terminal=NEVER, says="the same at the end of training")
def gradient_ratio_end(row: Row) -> float:
    return row.geometric_mean("gradient_ratio_end")


def _per_layer(row: Any) -> str:
    predicted = significant(row.gradient_per_layer_predicted)
    return significant(row.gradient_per_layer_init) + (f" ({predicted})" if predicted else "")


@column(unit="ratio", title="gradient per layer, init", terminal=NEVER, text=_per_layer,
        says="factor by which a block changes rms dL/dh on its way back, at initialisation: geometric mean over the "
        "encoder's blocks and over seeds")  # fmt: skip
def gradient_per_layer_init(row: Row) -> float:
    return row.geometric_mean("gradient_per_layer_init")


@column(unit="ratio", title="",
        says="the same by mean-field theory, from the variances of the drawn kernels; empty where an arm leaves its "
        "assumptions")  # fmt: skip
def gradient_per_layer_predicted(row: Row) -> float | None:
    reads_data = row.record.theory.get(next(iter(row.workload.layers)))
    # From the first block to the last: not the step from the input layer.
    return reads_data and geometric_mean([math.nan if each is None else each for each in reads_data.gradient_ratio[1:]])


@column(unit="", title="c, init", terminal=NEVER, text=lambda row: fixed(row.mean_cosine_init),
        says="c: mean cosine between two examples in the encoder's last hidden layer, at initialisation")  # fmt: skip
def mean_cosine_init(row: Row) -> float:
    return row.over_seeds("mean_cosine_init").mean


@column(unit="", title="c, end", terminal=NEVER, text=lambda row: fixed(row.mean_cosine_end),
        says="the same at the end of training")  # fmt: skip
def mean_cosine_end(row: Row) -> float:
    return row.over_seeds("mean_cosine_end").mean


@column(unit="per step", title="learning rate", terminal=5,
        text=lambda row: significant(row.learning_rate) + (" (edge)" if row.rate_at_edge else ""),
        says="the rate with the lowest score on validation, on the tuning seed; where only one was asked for, that "
        "one")  # fmt: skip
def learning_rate(row: Row) -> float | None:
    return row.record.learning_rate


@column(unit="true or false", title="",
        says="the chosen rate was the lowest or highest tried: a better one may lie beyond. Not where every rate that "
        "finished ended on the plateau, less than the score's margin (0.2 nats of -ELBO) apart on validation: none of "
        "them is better than another")  # fmt: skip
def rate_at_edge(row: Row) -> bool:
    return row.at_edge


@column(unit="1/s", title="examples/s", terminal=2, text=lambda row: thousands(row.examples_per_second, "/s"),
        says="training throughput of the compiled program, timed alone")  # fmt: skip
def examples_per_second(row: Row) -> float | None:
    return row.timing and row.timing.examples_per_second


def _slowdown(row: Any) -> str:
    if row.slowdown is None or row.slowdown_low is None:
        return fixed(row.slowdown, 2, "x")
    return f"{fixed(row.slowdown, 2, 'x')} [{fixed(row.slowdown_low)}, {fixed(row.slowdown_high)}]"


@column(unit="ratio", title=f"slowdown [{CONFIDENCE:.0%}]", terminal=7, text=_slowdown,
        says="time per step over the baseline's, the geometric mean of interleaved rounds; cells of one program share "
        "one timing")  # fmt: skip
def slowdown(row: Row) -> float | None:
    return row.timing and row.timing.slowdown


@column(unit="ratio", title="",
        says="lower end of its 95 % Student t interval over the rounds, on the logarithm")  # fmt: skip
def slowdown_low(row: Row) -> float | None:
    return row.timing and row.timing.slowdown_low


@column(unit="ratio", title="", says="upper end of that interval")
def slowdown_high(row: Row) -> float | None:
    return row.timing and row.timing.slowdown_high


@column(unit="s", title="compile", terminal=NEVER, text=lambda row: fixed(row.compile_seconds, 1, " s"),
        says="time to compile the cell's program; cells that share a program show the same; short where the "
        "persistent cache had it")  # fmt: skip
def compile_seconds(row: Row) -> float | None:
    return row.record.compile_seconds


@column(unit="count", title="FLOPs/step", terminal=NEVER, text=lambda row: thousands(row.flops_per_step),
        says="floating-point operations of one step of one training without instruments, by XLA's count")  # fmt: skip
def flops_per_step(row: Row) -> float | None:
    return row.timing and row.timing.flops_per_step


@column(unit="bytes", title="memory", terminal=NEVER, text=lambda row: thousands(row.memory_bytes, "B"),
        says="what the training program holds at once: arguments, results, temporaries, by XLA's account")  # fmt: skip
def memory_bytes(row: Row) -> int | None:
    return row.record.memory_bytes


@column(unit="count", title="parameters", terminal=NEVER, says="trained numbers in the model")
def parameters(row: Row) -> int | None:
    return row.record.parameters


@column(unit="count", title="gradient evaluations", terminal=NEVER,
        says="gradients of the loss that one training's steps are made from; the Hessian-vector products of `sophia`, "
        "one in ten steps, come on top")  # fmt: skip
def gradient_evaluations(row: Row) -> int:
    return row.record.gradient_evaluations


@column(unit="count", title="seeds", terminal=NEVER, says="fresh seeds trained at the chosen learning rate")
def seeds(row: Row) -> int:
    return len(row.trainings)


@column(unit="count", title="",
        says="seeds whose score was not finite, or above the plateau by more than 9 times its absolute value, or times "
        "1 where that is less")  # fmt: skip
def seeds_diverged(row: Row) -> int:
    return sum(training.diverged_at is not None for training in row.trainings)


@column(unit="", title="family", terminal=NEVER, planned=True, says="the kind of the remedy")
def family(row: Row) -> str:
    return row.cell.family


@column(unit="", title="reason", terminal=8, planned=True, says="why there is no figure, in a sentence")
def reason(row: Row) -> str:
    return row.reason


COLUMNS: tuple[Column, ...] = tuple(value for value in globals().values() if isinstance(value, Column))
"""All of them, in their order."""
