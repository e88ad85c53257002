"""May this data be used? What the decision is on, and writing it down."""

from __future__ import annotations

import hashlib
import json

from ratchet.decision import Clause, Decision
from ratchet.errors import BuildError
from ratchet.feeds import landing_sha256
from ratchet.ledger import Ledger
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.warehouse.invocation import DBT_PROJECT
from ratchet.window import Window

_CODE = ("dbt_project.yml", "macros/**/*.sql", "models/**/*.*", "tests/**/*.sql")


def subject(spec: Spec, window: Window, settings: Settings) -> dict[str, str]:
    """Return hashes of what a window's data follows from: all that landed so far, and the SQL.

    Raises
    ------
    BuildError
        If the window has not landed.
    """
    folders = (settings.lake(spec.name).root / "landing").glob("*/*/")
    landed = {key: Window.parse(key) for key in sorted({folder.name for folder in folders})}
    if window.key not in landed:
        raise BuildError(f"{spec.name} {window} has not landed: land it first")
    until_now = [w for w in landed.values() if w.end <= window.end]
    return {
        "landing": _sha256([landing_sha256(spec, w, settings) for w in until_now]),
        "code": sql_sha256(),
    }


def sql_sha256() -> str:
    """Return a hash of the whole dbt project, macros and tests with it."""
    code = sorted(path for pattern in _CODE for path in DBT_PROJECT.glob(pattern))
    return _sha256([hashlib.sha256(path.read_bytes()).hexdigest() for path in code])


def record(
    spec: Spec,
    window: Window,
    settings: Settings,
    verdict: str,
    subject: dict[str, str],
    clauses: list[Clause],
) -> Decision:
    """Write the decision on a window's data to the ledger, once."""
    return Ledger(settings.lake(spec.name).ledger).record(
        Decision(
            kind="data",
            use_case=spec.name,
            window=window.key,
            verdict=verdict,
            clauses=tuple(clauses),
            subject=subject,
        )
    )


def _sha256(content: list[str]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
