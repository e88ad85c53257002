"""Everything that is measured of a window, source by source."""

from __future__ import annotations

from collections.abc import Callable

from ratchet.monitoring.departures import watch_drift
from ratchet.monitoring.estimating import watch_estimates
from ratchet.monitoring.kpi import watch_kpis
from ratchet.monitoring.service import watch_service
from ratchet.monitoring.signal import Signal, write_signals
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

Source = Callable[[Spec, Window, Settings], list[Signal]]

SOURCES: dict[str, Source] = {
    "drift": watch_drift,
    "estimates": watch_estimates,
    "kpi": watch_kpis,
    "service": watch_service,
}
"""By name. Each is a function of the spec, the window and what lies in the lake, and of no clock;
it depends on nothing that became known, or was promoted, later than the window."""


def watch(spec: Spec, window: Window, settings: Settings) -> list[Signal]:
    """Measure a scored window; keep the signals, and return them.

    Running it again for the same window writes the same.
    """
    found: list[Signal] = []
    for name, source in SOURCES.items():
        signals = source(spec, window, settings)
        write_signals(spec, window, name, signals, settings)
        found += signals
    return found
