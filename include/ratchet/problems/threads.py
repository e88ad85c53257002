"""How many threads the libraries that compute may use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


@contextmanager
def threads_limited(count: int) -> Iterator[None]:
    """Let BLAS and OpenMP use so many threads in the block.

    To look for these libraries, all that the process has loaded is read, which takes longer than
    small answers do. So it is done anew only if something was imported since.
    """
    with _libraries(len(sys.modules)).limit(limits=count):
        yield


@lru_cache(maxsize=1)
def _libraries(modules: int) -> Any:  # noqa: ARG001
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
