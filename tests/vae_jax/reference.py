"""The same VAE in plain numpy and float64, its gradient written out by hand: what the compiled step must agree with."""

from typing import Any

import numpy as np


def tower_forward(tower: dict[str, Any], x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The head's output and every hidden layer of a plain tanh tower."""
    hidden = [np.tanh(x @ tower["input"]["dense"]["kernel"] + tower["input"]["dense"]["bias"])]
    for index in sorted(tower["blocks"]):
        layer = tower["blocks"][index]["unit"]["dense"]
        hidden.append(np.tanh(hidden[-1] @ layer["kernel"] + layer["bias"]))
    return hidden[-1] @ tower["head"]["kernel"] + tower["head"]["bias"], hidden


def tower_backward(
    tower: dict[str, Any], x: np.ndarray, hidden: list[np.ndarray], gradient: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """dL/dx, dL/dh of each hidden layer, and dL/dW of input layer, blocks and head, from dL/d(head's output)."""
    layers = [tower["input"]["dense"], *(tower["blocks"][index]["unit"]["dense"] for index in sorted(tower["blocks"]))]
    inputs = [x, *hidden[:-1]]
    kernels = [hidden[-1].T @ gradient]
    at_hidden = gradient @ tower["head"]["kernel"].T
    hidden_gradients = []
    for layer, below, h in zip(reversed(layers), reversed(inputs), reversed(hidden), strict=True):
        hidden_gradients.insert(0, at_hidden)
        at_sum = at_hidden * (1 - h**2)
        kernels.insert(0, below.T @ at_sum)
        at_hidden = at_sum @ layer["kernel"].T
    return at_hidden, hidden_gradients, kernels


def step(parameters: dict[str, Any], x: np.ndarray, centred: np.ndarray, noise: np.ndarray) -> dict[str, Any]:
    """-ELBO, its parts, and all gradients of one minibatch of a Bernoulli VAE with plain tanh towers."""
    posterior, encoder_hidden = tower_forward(parameters["encoder"], centred)
    mean, log_var = np.split(posterior, 2, axis=1)
    z = mean + np.exp(log_var / 2) * noise
    logits, decoder_hidden = tower_forward(parameters["decoder"], z)
    probability = 1 / (1 + np.exp(-logits))
    reconstruction = -(x * np.log(probability) + (1 - x) * np.log(1 - probability)).sum(axis=1).mean()
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1).mean()
    batch = len(x)
    at_z, decoder_gradients, decoder_kernels = tower_backward(
        parameters["decoder"], z, decoder_hidden, (probability - x) / batch
    )
    at_mean = at_z + mean / batch
    at_log_var = at_z * noise * np.exp(log_var / 2) / 2 + 0.5 * (np.exp(log_var) - 1) / batch
    _, encoder_gradients, encoder_kernels = tower_backward(
        parameters["encoder"], centred, encoder_hidden, np.concatenate([at_mean, at_log_var], axis=1)
    )
    return {
        "score": reconstruction + kl,
        "reconstruction": reconstruction,
        "kl_nats": kl,
        "hidden": {"encoder": encoder_hidden, "decoder": decoder_hidden},
        "hidden_gradient": {"encoder": encoder_gradients, "decoder": decoder_gradients},
        "kernel_gradient": {"encoder": encoder_kernels, "decoder": decoder_kernels},
    }
