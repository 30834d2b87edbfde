"""The yardstick in PyTorch, as its users would write it: the same networks and WGAN-GP updates as `fanogan_tf`.

The plain form of the papers (upsample, then convolve; convolve, then pool), in channels_last memory, which is faster on a CPU.
Attributes have the names of those in `fanogan_tf.networks.resnet`, so that weights are copied by name.
"""

import functools
import math
import os
from collections import OrderedDict

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fanogan_tf.networks.geometry import geometry

PENALTY_WEIGHT = 10.0
N_CRITIC = 5
_NAMES = {  # of one and the same variable: in Keras, in PyTorch
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_HE = math.sqrt(2.0)  # Glorot-uniform times this gain is He-uniform on the mean of fan in and fan out.


def _conv(inputs: int, filters: int, size: int, *, bias: bool = True, gain: float = 1.0) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, filters, size, padding=size // 2, bias=bias)
    nn.init.xavier_uniform_(conv.weight, gain)
    if bias:
        nn.init.zeros_(conv.bias)
    return conv


def _dense(inputs: int, units: int) -> nn.Linear:
    dense = nn.Linear(inputs, units)
    nn.init.xavier_uniform_(dense.weight)
    nn.init.zeros_(dense.bias)
    return dense


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _layer_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(1, channels, eps=1e-5)


class UpBlock(nn.Module):
    """(B, inputs, H, W) -> (B, filters, 2H, 2W)."""

    def __init__(self, inputs: int, filters: int):
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.norm_1 = _batch_norm(inputs)
        self.conv_1 = _conv(inputs, filters, 3, bias=False, gain=_HE)
        self.norm_2 = _batch_norm(filters)
        self.conv_2 = _conv(filters, filters, 3, gain=_HE)
        self.shortcut = _conv(inputs, filters, 1)

    def forward(self, x):
        main = self.conv_1(self.upsample(functional.relu(self.norm_1(x))))
        main = self.conv_2(functional.relu(self.norm_2(main)))
        return main + self.shortcut(self.upsample(x))


class DownBlock(nn.Module):
    """(B, inputs, H, W) -> (B, filters, H/2, W/2)."""

    def __init__(self, inputs: int, filters: int):
        super().__init__()
        self.pool = nn.AvgPool2d(2)
        self.norm_1 = _layer_norm(inputs)
        self.conv_1 = _conv(inputs, inputs, 3, bias=False, gain=_HE)
        self.norm_2 = _layer_norm(inputs)
        self.conv_2 = _conv(inputs, filters, 3, gain=_HE)
        self.shortcut = _conv(inputs, filters, 1)

    def forward(self, x):
        main = self.conv_1(functional.relu(self.norm_1(x)))
        main = self.pool(self.conv_2(functional.relu(self.norm_2(main))))
        return main + self.shortcut(self.pool(x))


class Generator(nn.Module):
    """G: z (B, latent_dim) -> images (B, 1, side, side) in (-1, 1)."""

    def __init__(self, side: int, dim: int, latent_dim: int):
        super().__init__()
        geo = geometry(side, side)
        filters = geo.up_filters(dim)
        self.smallest = (filters[0], *geo.base)
        self.dense = _dense(latent_dim, math.prod(self.smallest))
        self.blocks = nn.Sequential(*map(UpBlock, filters[:-1], filters[1:]))
        self.norm = _batch_norm(dim)
        self.conv = _conv(dim, 1, 3, gain=_HE)

    def forward(self, z):
        x = self.dense(z).unflatten(1, self.smallest).contiguous(memory_format=torch.channels_last)
        x = self.conv(functional.relu(self.norm(self.blocks(x))))
        return torch.tanh(x.float())


class Critic(nn.Module):
    """D: images (B, 1, side, side) -> critic values (B,)."""

    def __init__(self, side: int, dim: int):
        super().__init__()
        geo = geometry(side, side)
        filters = geo.down_filters(dim)
        self.smallest = (filters[-1], *geo.base)
        blocks = nn.Sequential(*map(DownBlock, filters[:-1], filters[1:]))
        self.body = nn.Sequential(OrderedDict(conv=_conv(1, dim, 3), blocks=blocks))
        self.dense = _dense(math.prod(self.smallest), 1)

    def forward(self, images):
        return self.dense(self.body(images).flatten(1))[:, 0].float()


def gradient_penalty(critic: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Computes the mean over images of (||grad_x D(x)||_2 - 1)^2, with a graph to differentiate again."""
    images = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    return _mean_square_excess(gradient)


def functional_gradient_penalty(critic: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Computes `gradient_penalty` for torch.compile, which differentiates only once, but also through a gradient."""
    return _mean_square_excess(torch.func.grad(lambda x: critic(x).sum())(images))


def _mean_square_excess(gradient: torch.Tensor) -> torch.Tensor:
    square = gradient.float().square().sum((1, 2, 3))
    # As in `fanogan_tf.training.losses`: the small constant keeps a vanished gradient from turning into NaN.
    return ((square + 1e-12).sqrt() - 1.0).square().mean()


class TorchForm:
    """WGAN-GP training on one fixed batch of random images; every update returns its loss when its work is done.

    device: cpu or cuda. bfloat16: autocast around the networks. compiled: torch.compile of both networks and of the penalty.
    """

    def __init__(
        self,
        side: int,
        dim: int,
        latent_dim: int,
        batch: int,
        *,
        bfloat16: bool = False,
        compiled: bool = False,
        device: str = "cpu",
        seed: int = 0,
    ):
        torch.set_num_threads(os.cpu_count())
        torch.manual_seed(seed)
        self.latent_dim = latent_dim
        self.batch = batch
        self.device = device
        self.generator = Generator(side, dim, latent_dim).to(device, memory_format=torch.channels_last)
        self.critic = Critic(side, dim).to(device, memory_format=torch.channels_last)
        self.generator_optimizer, self.critic_optimizer = (
            torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.0, 0.9), eps=1e-7, fused=True)
            for network in (self.generator, self.critic)
        )
        self.real = (2.0 * torch.rand(batch, 1, side, side, device=device) - 1.0).contiguous(memory_format=torch.channels_last)
        self._autocast = functools.partial(torch.autocast, device, torch.bfloat16, enabled=bfloat16)
        self._generate, self._criticise, self._penalty = self.generator, self.critic, gradient_penalty
        if compiled:
            # Every size and precision compiles the same few functions again; beyond the limit, 8 by default, that is an error.
            torch._dynamo.config.recompile_limit = 64
            compile_ = functools.partial(torch.compile, dynamic=False, fullgraph=True)
            self._generate, self._criticise = compile_(self.generator), compile_(self.critic)
            self._penalty = compile_(functional_gradient_penalty)

    def _latent(self) -> torch.Tensor:
        return torch.randn(self.batch, self.latent_dim, device=self.device)

    def critic_update(self) -> float:
        with torch.no_grad(), self._autocast():
            fake = self._generate(self._latent())
        mixed = torch.lerp(self.real, fake, torch.rand(self.batch, 1, 1, 1, device=self.device))
        with self._autocast():
            real_values, fake_values = self._criticise(torch.cat([self.real, fake])).chunk(2)
            penalty = self._penalty(self.critic, mixed)
        loss = fake_values.mean() - real_values.mean() + PENALTY_WEIGHT * penalty
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()
        return loss.item()

    def generator_update(self) -> float:
        # Only the images' gradient is wanted from the critic, not that of its weights.
        self.critic.requires_grad_(False)
        with self._autocast():
            loss = -self._criticise(self._generate(self._latent())).mean()
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()
        self.critic.requires_grad_(True)
        return loss.item()

    def iteration(self) -> tuple[float, float]:
        """Makes five critic updates and one generator update; returns the losses of the last two."""
        for _ in range(N_CRITIC):
            loss_d = self.critic_update()
        return loss_d, self.generator_update()


def _channels_first(values: np.ndarray, smallest: tuple[int, int, int]) -> np.ndarray:
    """Reorders the last axis from a flattened (H, W, C) to a flattened (C, H, W)."""
    channels, *sides = smallest
    parted = values.reshape(*values.shape[:-1], *sides, channels)
    return np.moveaxis(parted, -1, -3).reshape(values.shape)


def _copy_weights(tf_network, network: Generator | Critic) -> None:
    state = network.state_dict()
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.GroupNorm):
            continue
        layer = tf_network
        for part in name.split("."):
            layer = layer[int(part)] if part.isdigit() else getattr(layer, part)
        values = {_NAMES[variable.name]: variable.numpy() for variable in layer.variables}
        if isinstance(module, nn.Conv2d):
            values["weight"] = values["weight"].transpose(3, 2, 0, 1)
        elif isinstance(module, nn.Linear) and isinstance(network, Generator):
            values = {key: _channels_first(value, network.smallest) for key, value in values.items()}
            values["weight"] = values["weight"].T
        elif isinstance(module, nn.Linear):
            values["weight"] = _channels_first(values["weight"].T, network.smallest)
        state |= {f"{name}.{key}": torch.tensor(value) for key, value in values.items()}
    network.load_state_dict(state)


def same_function(tf_generator, tf_critic, form: TorchForm) -> dict[str, float]:
    """Copies the Keras networks' weights into `form`; returns how far apart the results then are, relative to the largest."""
    import tensorflow as tf

    from fanogan_tf.training import losses

    _copy_weights(tf_generator, form.generator)
    _copy_weights(tf_critic, form.critic)
    z = torch.randn(form.batch, form.latent_dim)
    with torch.no_grad():
        images = form.generator.eval()(z)
        values = form.critic(form.real)
    form.generator.train()
    real = form.real.permute(0, 2, 3, 1).numpy()
    tf_images = tf_generator(z.numpy(), training=False).numpy()
    tf_penalty = losses.gradient_penalty(lambda x: tf_critic(x)[0], tf.constant(real)).numpy()
    pairs = {
        "critic": (tf_critic(real)[0].numpy(), values.numpy()),
        "gradient_penalty": (tf_penalty, gradient_penalty(form.critic, form.real).item()),
        "generator": (tf_images, images.permute(0, 2, 3, 1).numpy()),
    }
    return {name: float(np.abs(ours - theirs).max() / np.abs(ours).max()) for name, (ours, theirs) in pairs.items()}
