"""How much memory a training may take: what would bring the machine down ends in an error."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ratchet.errors import TrainingError

_STATUS = Path("/proc/self/status")
_MB = 1024**2
_SAID = ("can't start new thread", "cannot allocate memory", "out of memory")


@contextmanager
def memory_limited(megabytes: int | None, where: str) -> Iterator[None]:
    """Let the block take no more memory than would bring this process to a limit.

    On Linux the system refuses what goes beyond (`RLIMIT_DATA`, which counts memory that only this
    process can write; the limit on addresses would count what libraries reserve and never use). It
    is taken off at the end, so a process that goes on to other things is not bound by it.
    Elsewhere, as on macOS, no limit of that kind holds: there the peak is looked at afterwards.

    Parameters
    ----------
    megabytes
        Of the whole process, resident; None for no limit.
    where
        The field of the spec, for the error.

    Raises
    ------
    TrainingError
        If it takes more, or the process has taken as much before.
    """
    if megabytes is None:
        yield
        return
    refusal = (
        f"{where}: memory_mb, {megabytes:,}, is not enough; raise it, or learn from less: "
        "training.max_history_days"
    )
    try:
        with _bounded(megabytes) as is_bounded:
            yield
    except Exception as error:
        if not _is_of_memory(error):
            raise
        raise TrainingError(refusal) from error
    if not is_bounded and _peak_bytes() > megabytes * _MB:
        raise TrainingError(refusal)


@contextmanager
def _bounded(megabytes: int) -> Iterator[bool]:
    """Bound the process, and yield whether the system does that."""
    if not _STATUS.exists():
        yield False
        return
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    resident, data = (int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmData"))
    if resident >= megabytes * _MB:
        raise MemoryError
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data + megabytes * _MB - resident
    allowed = [each for each in (before, most) if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([wanted, *allowed]), most))
    try:
        yield True
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))


def _is_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that there is no memory: for a thread, say."""
    while error is not None:
        if isinstance(error, MemoryError) or any(each in str(error).lower() for each in _SAID):
            return True
        error = error.__cause__ or error.__context__
    return False


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
