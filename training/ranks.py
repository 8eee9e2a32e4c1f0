"""The processes of one training run, as torchrun starts them: their number, waiting for the first, gathering.

Ranks count from 0, which alone prints and writes files. In a single process every function here does nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from app.errors import BeopgilError

PATIENCE = timedelta(hours=12)
"""How long the others wait for what the first does alone. Where a process ends, torchrun ends the others at once."""

_ALONE: ContextVar[bool] = ContextVar("_ALONE", default=False)

Made = TypeVar("Made")


class RankError(BeopgilError):
    """Processes that cannot work together, or the first one failed: it says why."""

    code = "rank_error"


@contextmanager
def together() -> Iterator[None]:
    """Join the processes that torchrun started, for this block; all but the first print nothing.

    RankError where this machine has fewer GPUs than processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group(_backend(), timeout=PATIENCE)
    with open(os.devnull, "w") as nowhere, redirect_stdout(sys.stdout if rank() == 0 else nowhere):
        yield
    dist.destroy_process_group()  # not after a failure: others may still be in the group, waiting to be ended


def _backend() -> str:
    if not torch.cuda.is_available():
        return "gloo"
    place, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if place >= gpus:
        raise RankError(f"process {place + 1} of this machine has no GPU of its own, there are {gpus}: start {gpus}")
    torch.cuda.set_device(place)
    return "cpu:gloo,cuda:nccl"


def size() -> int:
    """1 inside on_first too: there a process is alone."""
    return dist.get_world_size() if dist.is_initialized() and not _ALONE.get() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def on_first(make: Callable[[], Made]) -> Made:
    """What `make` returns in the first process, in all of them: they wait for it. RankError where it fails there."""
    if size() == 1:
        return make()
    told: list[Any] = [False, None]
    token = _ALONE.set(True)
    try:
        if rank() == 0:
            told = [True, make()]
    finally:
        _ALONE.reset(token)
        dist.broadcast_object_list(told, src=0)
    if not told[0]:
        raise RankError("the first process failed; its message says why")
    return cast(Made, told[1])


def part(rows: Sequence[Made]) -> Sequence[Made]:
    """This process's part of `rows`: all parts are equal, in the ranks' order, and what is left over goes to none."""
    own = len(rows) // size()
    return rows[rank() * own : (rank() + 1) * own]


# Inside the loss of a training step, which all processes take together


def gathered(own: Tensor) -> tuple[Tensor, int]:
    """The rows of all processes, equally many from each, with gradient; and where one's own begin."""
    if size() == 1:
        return own, 0
    return cast(Tensor, _Gather.apply(own)), rank() * len(own)  # type: ignore[no-untyped-call]  # torch does not type it


def mean(values: Tensor) -> Tensor:
    """The mean, so weighted that its average over the processes is the mean of the values of all of them."""
    if size() == 1:
        return values.mean()
    count = torch.tensor(float(values.numel()), device=values.device)
    dist.all_reduce(count)
    return values.sum() * size() / count


class _Gather(torch.autograd.Function):
    """torch.distributed.nn's gather takes another way for each backend, some of which gloo lacks."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(size())]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The sum of what the losses of all processes ask of one's own rows."""
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(size())[rank()]
