import hashlib
from pathlib import Path

import pytest

from ratchet.feeds import sample_flights


@pytest.fixture(scope="session")
def flights_inbox(pytestconfig: pytest.Config) -> Path:
    """Return an inbox with the flagship's whole year; read it, or link to it, and never write.

    It takes seconds to write, so it stays in pytest's cache until the code that writes it changes.
    """
    code = hashlib.sha256(Path(sample_flights.__file__).read_bytes()).hexdigest()[:12]
    inbox = pytestconfig.cache.mkdir(f"inbox-{code}")
    sample_flights.write_flights_inbox(inbox)
    return inbox
