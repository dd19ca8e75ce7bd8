"""A residual network, Linen, each branch ended by a BatchNorm whose scale starts at zero: healthy by design."""

from functools import partial

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic


class Residual(nn.Module):
    channels: int
    stride: int = 1

    @nn.compact
    def __call__(self, x, train: bool):
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
        conv = partial(nn.Conv, self.channels, use_bias=False)
        strides = (self.stride, self.stride)
        y = nn.relu(norm(name="norm_1")(conv(kernel_size=(3, 3), strides=strides, name="conv_1")(x)))
        y = norm(scale_init=nn.initializers.zeros, name="norm_2")(conv(kernel_size=(3, 3), name="conv_2")(y))
        if x.shape != y.shape:
            x = norm(name="norm_skip")(conv(kernel_size=(1, 1), strides=strides, name="conv_skip")(x))
        return nn.relu(x + y)


class SmallResNet(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = True):
        x = nn.Conv(16, (3, 3), use_bias=False, name="stem")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9, name="stem_norm")(x))
        for index, (channels, stride) in enumerate([(16, 1), (32, 2)]):
            x = Residual(channels, stride, name=f"stage_{index}")(x, train)
        return nn.Dense(4, name="head")(x.mean((1, 2)))


def batch():
    images = synthetic.blobs(64, 16)
    return {"x": images[..., None], "labels": synthetic.quadrant(images)}


def make():
    net = SmallResNet()
    return net, net.init(jax.random.key(0), jnp.zeros((2, 16, 16, 1)))


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
