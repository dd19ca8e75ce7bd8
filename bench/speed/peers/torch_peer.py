"""The same training in PyTorch, as people usually write it, eager or compiled. Imports torch only when it is made."""

import itertools
from collections.abc import Callable
from typing import Any

from bench.data.digits import digits
from bench.speed.setting import BATCH
from vae_jax.models.vae import VAEArchitecture


def torch_arm(
    architecture: VAEArchitecture, draws: int, fused: bool = True, compiled: bool = False
) -> Callable[[int, float], Any]:
    """A function that begins a training in PyTorch: tanh towers, orthogonal kernels, Adam.

    Args:
        architecture: The model's sizes.
        draws: Draws of z for each held-out example.
        fused: Adam in one kernel, which is faster; PyTorch's default on a CPU is a loop over the parameters.
        compiled: Loss and gradient through `torch.compile`, which wants a C++ compiler; all that it begins share them.
    """
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]

    dataset = digits()
    train = torch.tensor(dataset.train)
    held_out = {
        name: torch.tensor(getattr(dataset, name)).repeat(draws, 1) for name in ("validation", "test")
    }  # fmt: skip
    mean = train.mean(dim=0)

    def tower(inputs: int, outputs: int) -> Any:
        layers: list[Any] = []
        for size in itertools.pairwise((inputs, *[architecture.width] * (architecture.depth + 1))):
            layers += [nn.Linear(*size), nn.Tanh()]
        layers.append(nn.Linear(architecture.width, outputs))
        for layer in layers[::2]:
            nn.init.orthogonal_(layer.weight)
            nn.init.zeros_(layer.bias)
        return nn.Sequential(*layers)

    class TorchTraining:
        def __init__(self, seed: int, learning_rate: float):
            torch.manual_seed(seed)
            self.encoder = tower(architecture.data, 2 * architecture.latent)
            self.decoder = tower(architecture.latent, architecture.data)
            self.parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
            self.optimizer = torch.optim.Adam(self.parameters, lr=learning_rate, fused=fused)
            # Evaluations stay eager: another batch and no gradient would be programs of their own.
            self._step_loss = torch.compile(self._loss) if compiled else self._loss

        def step(self, record: bool) -> Any:
            x = torch.bernoulli(train[torch.randint(len(train), (BATCH,))])
            self.optimizer.zero_grad()
            self._step_loss(x).backward()
            kernels = [parameter for parameter in self.parameters if parameter.ndim == 2] if record else []
            norms = [kernel.grad.norm() for kernel in kernels]
            self.optimizer.step()
            return norms

        def negative_elbo(self, split: str) -> Any:
            with torch.no_grad():
                return self._loss(held_out[split])

        def _loss(self, x: Any) -> Any:
            posterior_mean, log_var = self.encoder(x - mean).chunk(2, dim=1)
            z = posterior_mean + torch.exp(0.5 * log_var) * torch.randn_like(posterior_mean)
            reconstruction = nn.functional.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
            kl = 0.5 * (posterior_mean**2 + log_var.exp() - 1 - log_var).sum()
            return (reconstruction + kl) / len(x)

    return TorchTraining
