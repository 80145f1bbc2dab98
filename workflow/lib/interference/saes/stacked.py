"""Training steps in torch, all members of a seed in each operation: for a GPU, for a type without a
compiled step, and to check those.

A type says what its loss is; autograd makes the gradients, and a member's gradient is that of its own
loss, since the losses share nothing but the rows. On a CPU this is plain float32 (or float64) and the
same as the compiled steps up to rounding. On a GPU a whole step is one CUDA graph, its matrix products
take TF32 inputs over float32 weights, and the host waits for no step: the shapes of a step never depend
on its numbers, and what changes from step to step is filled into tensors.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from interference.kernels.adam import adam_tensors
from interference.saes.member import Member, ramp

#: Steps before one is captured, in which libraries allocate what they need.
WARM_UP = 3


class Stack:
    """Moves the members of one seed; their arrays follow at `synchronise`."""

    def __init__(self, members: list[Member], device: torch.device):
        """members: of one type, equally far."""
        self.members, self.settings = members, members[0].settings
        self.sae_type = members[0].sae_type
        arrays = [member.arrays() for member in members]
        self.tensors = {
            name: torch.from_numpy(np.stack([a[name] for a in arrays])).to(device)
            for name in arrays[0]
        }
        self.parameters = {name: self.tensors[name] for name in members[0].parameters}
        self.state = {name: self.tensors[name] for name in members[0].state}
        like = self.parameters["b_dec"]
        self.sparsity = like.new_tensor([member.sparsity for member in members])
        self.size, self.eps, self.ramp = (like.new_zeros(()) for _ in range(3))

    def take(self, turn: list[tuple[np.ndarray, float, float]]) -> None:
        """The steps of a turn: rows, rate and fraction of each."""
        for batch in turn:
            self.step(*batch)

    def step(self, x: np.ndarray, rate: float, fraction: float) -> None:
        """One update of every member on x: (n, d). fraction: of training done before this step."""
        first = not self.members[0].adam.steps
        for member in self.members:
            size, *_, eps = member.adam.advance(rate)
        share = ramp(self.settings, fraction)
        for tensor, number in ((self.size, size), (self.eps, eps), (self.ramp, share)):
            tensor.fill_(number)
        self._load(x)
        if first and hasattr(self.sae_type, "start"):
            self.sae_type.start(by_row(self.parameters), self.batch(), self.sparsity, self.settings)
        self._run()
        if first and "norm" in self.state:  # its step is the same at any norm
            for name in self.parameters:
                scale = self.state["norm"].reciprocal()
                self.tensors[f"{name}.mean"].mul_(_fit(scale, self.tensors[name]))
                self.tensors[f"{name}.square"].mul_(_fit(scale.square(), self.tensors[name]))

    def _load(self, x: np.ndarray) -> None:
        """Make x the batch of `update`."""
        self.x = torch.from_numpy(x)

    def _run(self) -> None:
        self.update()

    def update(self) -> None:
        """One step on the batch, its numbers taken from tensors, and no tensor's taken to the host."""
        gradients = self.gradients()
        if clip := getattr(self.settings, "gradient_clip", None):
            clip_norm(gradients, clip)
        w_dec = self.parameters["w_dec"]
        if self.sae_type.UNIT_DECODER:
            parallel = (gradients["w_dec"] * w_dec).sum(-1, keepdim=True)
            gradients["w_dec"] = gradients["w_dec"] - parallel * w_dec
        if "norm" in self.state:
            normalise(gradients, self.state["norm"])
        if "length" in self.state:
            w_dec.mul_(self.state["length"][..., None])
        for name, p in self.parameters.items():
            mean, square = self.tensors[f"{name}.mean"], self.tensors[f"{name}.square"]
            adam_tensors(p, gradients[name], mean, square, self.size, self.eps)
        if self.sae_type.UNIT_DECODER:
            lengths = w_dec.norm(dim=-1, keepdim=True)
            w_dec.div_(lengths)
            if "length" in self.state:
                self.state["length"].copy_(lengths[..., 0])

    def gradients(self) -> dict[str, Tensor]:
        """Of every member's loss, by parameter, (M, …); brings `state` up to date."""
        p = {name: t.detach().requires_grad_() for name, t in self.parameters.items()}
        sparsity = self.ramp * self.sparsity
        losses = self.sae_type.loss(by_row(p), self.batch(), sparsity, self.settings, self.state)
        return dict(zip(p, torch.autograd.grad(losses.sum(), list(p.values()))))

    def batch(self) -> Tensor:
        """The rows, for every member: (M, n, d), not copied."""
        return self.x.expand(len(self.members), *self.x.shape)

    def synchronise(self) -> None:
        """Copy the working tensors into the members' arrays."""
        for name, tensor in self.tensors.items():
            for member, array in zip(self.members, tensor.cpu().numpy(), strict=True):
                member.arrays()[name][...] = array


def by_row(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters as a loss takes them: vectors (M, h) as (M, 1, h), one row for all of a batch."""
    return {name: p.unsqueeze(-2) if p.ndim == 2 else p for name, p in parameters.items()}


def clip_norm(gradients: Mapping[str, Tensor], limit: float) -> None:
    """Shorten each member's gradient of all parameters together to norm ``limit``, in place."""
    scale = (limit / norms(gradients)).clamp(max=1.0)
    for gradient in gradients.values():
        gradient.mul_(_fit(scale, gradient))


def normalise(gradients: Mapping[str, Tensor], norm: Tensor) -> None:
    """Divide each member's gradients by ``norm``, (M, 1), which then is their own unless that is 0."""
    own, before = norms(gradients)[:, None], norm.clone()
    norm.copy_(own.where(own > 0, norm))
    for gradient in gradients.values():
        gradient.div_(_fit(before, gradient))


def norms(gradients: Mapping[str, Tensor]) -> Tensor:
    """(M,) of each member's gradients of all parameters together."""
    squares = [gradient.square().flatten(1).sum(1) for gradient in gradients.values()]
    return torch.stack(squares).sum(0).sqrt()


def _fit(scale: Tensor, like: Tensor) -> Tensor:
    """A number a member, in the type and shape that multiply ``like``: (M, …)."""
    return scale.to(like.dtype).reshape(-1, *[1] * (like.ndim - 1))


class CapturedStack(Stack):
    """On a GPU: all that follows the first steps is the replay of one CUDA graph."""

    def __init__(self, members: list[Member], device: torch.device):
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        super().__init__(members, device)
        self.device, self.stream = device, torch.cuda.Stream(device)
        self.stream.wait_stream(torch.cuda.current_stream(device))
        self.warmed = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.feed: Feed | None = None

    def step(self, x: np.ndarray, rate: float, fraction: float) -> None:
        with torch.cuda.stream(self.stream):
            super().step(x, rate, fraction)

    def _load(self, x: np.ndarray) -> None:
        if self.feed is None:
            self.x = torch.empty(x.shape, device=self.device)
            self.feed = Feed(x.shape, self.device)
        self.feed.copy(x, self.x)

    def _run(self) -> None:
        if self.graph is None and self.warmed < WARM_UP:
            self.warmed += 1
            self.update()
            return
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=self.stream):
                self.update()
        self.graph.replay()

    def synchronise(self) -> None:
        with torch.cuda.stream(self.stream):
            super().synchronise()


class Feed:
    """Batches on their way to a GPU by two pinned buffers, on a stream of their own: while a step
    computes, the rows of the next are copied."""

    def __init__(self, shape: tuple[int, ...], device: torch.device):
        self.stream, self.turn = torch.cuda.Stream(device), 0
        self.pinned = [torch.empty(shape, pin_memory=True) for _ in range(2)]
        self.arrived = [torch.empty(shape, device=device) for _ in range(2)]
        self.copied, self.read = ([torch.cuda.Event() for _ in range(2)] for _ in range(2))
        self.stream.wait_stream(torch.cuda.current_stream(device))

    def copy(self, x: np.ndarray, target: Tensor) -> None:
        """Copy x into ``target``, in the order of the current stream.

        The host waits until a buffer is free, so for a copy of two steps ago: it never runs more
        than a few steps ahead of the GPU, and never waits for the step that it has just begun.
        """
        i = self.turn = 1 - self.turn
        self.copied[i].synchronize()
        self.pinned[i].numpy()[...] = x
        with torch.cuda.stream(self.stream):
            self.stream.wait_event(self.read[i])
            self.arrived[i].copy_(self.pinned[i], non_blocking=True)
            self.copied[i].record()
        torch.cuda.current_stream(target.device).wait_event(self.copied[i])
        target.copy_(self.arrived[i])
        self.read[i].record()
