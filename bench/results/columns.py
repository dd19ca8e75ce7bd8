"""The columns of the summary, in their order: each a function of one cell. No jax."""

import math
import statistics
from typing import Any

from bench.language.figures import fixed, significant, thousands
from bench.results.column import ALWAYS, NEVER, Column, column
from bench.results.judging.comparison import BETTER
from bench.results.judging.score import NEGATIVE_LOG_LIKELIHOOD
from bench.results.judging.statistics import CONFIDENCE, Interval, exact_binomial, interval_text, student_t
from bench.results.judging.tuned import NO_RATE_LEFT
from bench.results.results import Row, geometric_mean


def row_interval(row: Any) -> Interval:
    """The score of a table's row."""
    return _interval(row.score, row.score_low, row.score_high)


def gain_interval(row: Any) -> Interval:
    """The gain of a table's row."""
    return _interval(row.gain, row.gain_low, row.gain_high)


def _interval(*values: float | None) -> Interval:
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


@column(unit="the score's, per example", title=f"gain, {{unit}} [{CONFIDENCE:.0%}]", terminal=ALWAYS,
        text=lambda row: interval_text(gain_interval(row), like=row.plateau),
        says="how far the mean over all seeds lies below the plateau: what has been learnt; it carries over to other "
        "splits, where the score itself moves with the plateau; a seed that diverged has gained nothing")  # fmt: skip
def gain(row: Row) -> float | None:
    return row.gain.mean


@column(unit="the score's, per example", title="",
        says="lower end of its 95 % Student t interval over seeds; empty with one seed")  # fmt: skip
def gain_low(row: Row) -> float | None:
    return row.gain.low


@column(unit="the score's, per example", title="", says="upper end of that interval")
def gain_high(row: Row) -> float | None:
    return row.gain.high


@column(unit="", title="beside its base", terminal=8,
        text=lambda row: "; ".join(filter(None, (row.word_text, "a control" * bool(row.control)))),
        says="`better`, `worse`, `no difference shown` or `too few seeds`, by the page's printed rule; with fewer than "
        "5 seeds `screened` stands behind it; empty of a base, and where the base is not in the run")  # fmt: skip
def word(row: Row) -> str:
    return row.comparison.word if row.comparison else ""


@column(unit="", title="", says="the same; where no difference was shown, with half the interval's width: what could "
        "have been seen")  # fmt: skip
def word_text(row: Row) -> str:
    return row.comparison.text if row.comparison else ""


@column(unit="", title="confirmed", terminal=6,
        says="of an arm that was trained with its base on ten fresh seeds more: `confirmed` where it is `better` there "
        "too, by the same rule, over those seeds alone, else `not confirmed`; empty of arms that are not said to be "
        "better, and where nothing was confirmed")  # fmt: skip
def confirmed(row: Row) -> str:
    if row.comparison is None or row.confirmed is None or not row.comparison.word.startswith(BETTER):
        return ""
    return "confirmed" if row.confirmed.word == BETTER else "not confirmed"


@column(unit="the score's, per example", title="",
        says="its score minus its base's on those seeds")  # fmt: skip
def confirmed_difference(row: Row) -> float | None:
    return row.confirmed and row.confirmed.difference.mean


@column(unit="the score's, per example", title="",
        says="its score minus its base's, paired by seed, over all seeds: below 0 it is the better one")  # fmt: skip
def difference(row: Row) -> float | None:
    return row.comparison and row.comparison.difference.mean


@column(unit="the score's, per example", title="",
        says="lower end of its 95 % Student t interval, not adjusted for other arms")  # fmt: skip
def difference_low(row: Row) -> float | None:
    return row.comparison and row.comparison.difference.low


@column(unit="the score's, per example", title="", says="upper end of that interval")
def difference_high(row: Row) -> float | None:
    return row.comparison and row.comparison.difference.high


@column(unit="", title="", says="two-sided, of paired Student's t, adjusted for all arms of the suite that have a "
        "base: Holm's way from 5 seeds on, with fewer Benjamini and Hochberg's")  # fmt: skip
def p_adjusted(row: Row) -> float | None:
    return row.comparison and row.comparison.p


def _left(row: Any) -> str:
    return "" if row.left is None else f"{row.left} of {row.seeds}"


@column(unit="count", title="left", text=_left,
        says="seeds that left the plateau by the workload's rule: for most, the score lies below it by more than a "
        "margin (0.2 nats of -ELBO); of an autoregressive decoder, z shuffled between examples costs more than 0.5 "
        "nats and KL is above 0.5; one that diverged, failed or ran out of time has not left")  # fmt: skip
def left(row: Row) -> int:
    return len(row.left)


@column(unit="share", title="", says="lower end of the exact 95 % binomial interval of the share that left")
def left_low(row: Row) -> float:
    return exact_binomial(len(row.left), len(row.scores)).low


@column(unit="share", title="", says="upper end of that interval")
def left_high(row: Row) -> float:
    return exact_binomial(len(row.left), len(row.scores)).high


@column(unit="count", title="", says="fresh seeds: those that diverged, failed or ran out of time among them")
def seeds(row: Row) -> int:
    return len(row.scores)


@column(unit="the score's, per example", title=f"{{score}}, {{unit}} [{CONFIDENCE:.0%}]", terminal=6,
        text=lambda row: interval_text(row_interval(row)),
        says="mean over all seeds of what the workload is judged by: -ELBO in nats, of a model without z its own score "
        "in its own unit; lower is better; a seed that diverged enters with the plateau's, and where none has a score "
        "there is none. The interval is of seeds alone: other splits and draws of the test set move the plateau "
        "itself")  # fmt: skip
def score(row: Row) -> float | None:
    return row.score.mean


@column(unit="the score's, per example", title="",
        says="lower end of its 95 % Student t interval over seeds; empty with one seed")  # fmt: skip
def score_low(row: Row) -> float | None:
    return row.score.low


@column(unit="the score's, per example", title="", says="upper end of that interval")
def score_high(row: Row) -> float | None:
    return row.score.high


@column(unit="", title="", planned=True, says="the unit of the score, one example's")
def score_unit(row: Row) -> str:
    return row.workload.score.unit


@column(unit="the score's, per example", title="",
        says="mean score among the seeds that left, as a description: which seeds those are is the arm's own "
        "doing")  # fmt: skip
def score_left(row: Row) -> float | None:
    return student_t([value for training in row.left if (value := training.score) is not None]).mean


@column(unit="steps", title="escape, steps", terminal=5, text=lambda row: thousands(row.escape_step),
        says="the step from which on half of the seeds had left the plateau for good, by validations: Kaplan and "
        "Meier's median; empty where more than half never did")  # fmt: skip
def escape_step(row: Row) -> float | None:
    return row.escape.median if row.escape else None


@column(unit="s", title="escape, s", terminal=NEVER, text=lambda row: fixed(row.escape_seconds, 2),
        says="the same times the time of a step; empty where that was not measured")  # fmt: skip
def escape_seconds(row: Row) -> float | None:
    if row.escape is None or row.timing is None:
        return None
    return row.escape.median * statistics.median(row.timing.seconds_per_step)


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
        says="the score lies below the plateau by more than the margin, and KL below 0.01 nats: x reaches the decoder "
        "past z, so that it is not ranked")  # fmt: skip
def past_z(row: Row) -> bool:
    return row.past_z


@column(unit="true or false", title="", planned=True,
        says="one of its remedies is a control, trained to be compared with: it stands apart in tables")  # fmt: skip
def control(row: Row) -> bool:
    return row.cell.control


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


@column(unit="the score's, per example", title="on training, {unit}", terminal=NEVER,
        text=lambda row: fixed(row.train_score),
        says="the score on as many training examples, judged as the test set is: beside `score` it tells what was not "
        "learnt from what was learnt by heart; mean over seeds")  # fmt: skip
def train_score(row: Row) -> float:
    return row.over_seeds("train_score").mean


@column(unit="share", title="neighbours", terminal=NEVER, text=lambda row: fixed(row.neighbours, 3),
        says="where test examples have labels, which no model sees: the share of them whose label is the commonest "
        "among the 5 others with the nearest posterior means; mean over seeds")  # fmt: skip
def neighbours(row: Row) -> float:
    return row.over_seeds("neighbours").mean


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


@column(unit="", title="shared dL/dh, init", terminal=NEVER, text=lambda row: fixed(row.shared_gradient_init),
        says="share of the mean square of dL/dh at the encoder's last hidden layer that is the same for all examples, "
        "at initialisation")  # fmt: skip
def shared_gradient_init(row: Row) -> float:
    return row.over_seeds("shared_gradient_init").mean


def _rate(row: Any) -> str:
    edge = {"no": "", "": "", NO_RATE_LEFT: ""}.get(row.rate_at_edge or "", f" ({row.rate_at_edge} edge)")
    return significant(row.learning_rate) + edge


@column(unit="per step", title="learning rate", terminal=5, text=_rate,
        says="the rate that tuning chose, by the page's rule; where only one was asked for, that one")  # fmt: skip
def learning_rate(row: Row) -> float | None:
    return row.record.learning_rate


@column(unit="", title="",
        says="`no`; `low` or `high` where the chosen rate is the lowest or highest tried, so that a better one may lie "
        "beyond; `none left` where at no rate the median tuning seed left the plateau; empty where nothing was "
        "tuned")  # fmt: skip
def rate_at_edge(row: Row) -> str:
    return row.grid.edge if row.grid else ""


@column(unit="the score's, per example", title="",
        says="the score on validation, on the first tuning seed, at the optimizer's own rate: the middle of the grid; "
        "empty where that diverged")  # fmt: skip
def default_rate_score(row: Row) -> float | None:
    return row.grid and row.grid.default_score


@column(unit="the score's, per example", title="", says="the same at the chosen rate")
def tuned_rate_score(row: Row) -> float | None:
    return row.grid and row.grid.score


@column(unit="ratio", title="rates that work", terminal=NEVER, text=lambda row: fixed(row.rate_band, 0, "x"),
        says="the highest over the lowest of the rates around the chosen one, next to one another, at which the first "
        "tuning seed left the plateau; 1 where the chosen one alone did, empty where none did")  # fmt: skip
def rate_band(row: Row) -> float | None:
    return row.grid and row.grid.band


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


@column(unit="count", title="",
        says="seeds whose score was not finite, or on validation above the plateau by more than 9 times its absolute "
        "value, or times 1 where that is less")  # fmt: skip
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
