"""The one thread in which models compute.

A thread that multiplies matrices in parallel gets worker threads of its own, which go on looking for work between two
products. Where several threads do so, their workers take the cores from one another: so all forward passes are made
here, in the order in which they came, and the threads of requests wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Value = TypeVar("Value")
NAME = "models"
_THREAD = ThreadPoolExecutor(1, thread_name_prefix=NAME)


def inside() -> bool:
    """Whether this is the thread: it must not wait for itself."""
    return threading.current_thread().name.startswith(NAME)


def computed(work: Callable[[], Value]) -> Value:
    """What `work` gives or raises, once the work before it is done. In the thread itself at once."""
    return work() if inside() else later(work).result()


def later(work: Callable[[], Value]) -> Future[Value]:
    """Behind the work that waits."""
    return _THREAD.submit(work)
