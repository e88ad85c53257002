"""What the business is run by, day by day: against its own past, and against hard limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.errors import EvidenceError
from ratchet.monitoring.signal import Signal
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.types import Kpi
from ratchet.statistics import LAW_DAYS, DayForecast, forecast_days, near_holidays
from ratchet.window import Window

NULL_P = 1e-3  # one of a thousand days in which nothing happened
PAST = timedelta(days=2 * LAW_DAYS)  # the days of the law, and what each of them was forecast from
_NOTHING = 1e-3  # of what is usual: what nothing counts as, where its logarithm is infinite
_LIKELY = 0.05  # a double count is told from others if its error is likely: customary
_ANY = 1e-9  # a hard limit is a limit: there is no distance beyond it that nobody acts on


@dataclass(frozen=True)
class _Series:
    """One KPI's days without gaps, on the scale of its changes: logarithms, or the KPI's unit.

    `noise` is the standard deviation that chance alone gives a count of so many units.
    """

    name: str
    kpi: Kpi
    days: list[date]
    values: NDArray[np.float64]
    scaled: NDArray[np.float64]
    rows: NDArray[np.int64]
    noise: NDArray[np.float64]


def watch_kpis(spec: Spec, window: Window, settings: Settings) -> list[Signal]:
    """Measure every KPI of each day whose value became final in the window.

    A day is final `wait_days` after its midnight. Rule `level` compares it with what its own past
    makes expected of it; see `ratchet.statistics.seasons`. Rule `guardrail` compares it with the
    spec's hard limits. A day near a public holiday is no past for others.

    Returns
    -------
    list
        One signal per KPI, day and rule; `subject` is the KPI, `segment` the day. A change in the
        direction that is not `worse` says that it is to be verified. A KPI that can't be computed,
        as its table or a column is not published, or as it is negative and its floor relative, is
        not enough to tell anything, and says what to correct; the others go on.

    Raises
    ------
    BuildError
        If nothing is published.
    """
    found: list[Signal] = []
    judged = {
        name: days for name, kpi in spec.kpis.items() if (days := _final_days(spec, kpi, window))
    }
    tables = _read_all(spec, judged, settings)
    for name, days in judged.items():
        kpi, table = spec.kpis[name], tables[name]
        try:
            if isinstance(table, EvidenceError):
                raise table
            if begun := _begun(days, table):
                found += _judge(_series(name, kpi, table, begun), begun, window, spec)
        except EvidenceError as error:
            found += _untold(name, kpi, days, window, str(error))
    return found


def _untold(name: str, kpi: Kpi, days: list[date], window: Window, reason: str) -> Iterator[Signal]:
    """Say of each day and rule why the KPI can't be computed."""
    for day in days:
        for rule in ("level", "guardrail") if kpi.guardrail else ("level",):
            yield Signal(
                window=window.key,
                family="kpi",
                rule=rule,
                subject=name,
                segment=f"{day}",
                rows=0,
                is_enough=False,
                floor=_ANY,
                unit=kpi.unit,
                reference="nothing, as it can't be computed",
                text=f"{name} of {day:%a %Y-%m-%d} is not known: {reason}.",
            )


def _begun(days: list[date], table: pd.DataFrame) -> list[date]:
    """Return the days after the first one of a table, which may be a part of a day."""
    return [day for day in days if table.empty or pd.Timestamp(day) > table.index.min()]


def _final_days(spec: Spec, kpi: Kpi, window: Window) -> list[date]:
    """Return the days whose values became final in the window, by the clock that people live by.

    A day that began before the use case's history did is none of it.
    """
    zone = ZoneInfo(spec.quality.time_zone)
    waits = spec.monitoring.label_wait_days if kpi.wait_days is None else kpi.wait_days
    wait = timedelta(days=waits)
    around = wait + timedelta(days=2)
    first = (window.start - around).date()
    days = (first + timedelta(days=n) for n in range(int(window.days + 0.5) + 2 * around.days))
    return [
        day
        for day in days
        if spec.schedule.history_start <= _midnight(day, zone)
        and window.start < _midnight(day + timedelta(days=1), zone) + wait <= window.end
    ]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _read_all(
    spec: Spec, judged: dict[str, list[date]], settings: Settings
) -> dict[str, pd.DataFrame | EvidenceError]:
    """Return the days of each KPI, or why there are none; marts are computed once for all of it."""
    found: dict[str, pd.DataFrame | EvidenceError] = {}
    by_mart: dict[tuple[str, str], list[str]] = {}
    for name in judged:
        by_mart.setdefault((spec.kpis[name].table, spec.kpis[name].date), []).append(name)
    for names in by_mart.values():
        try:
            found |= _read(names, judged, spec, settings)
        except EvidenceError:  # of one of them: which one, each tells by itself
            for name in names:
                try:
                    found |= _read([name], judged, spec, settings)
                except EvidenceError as error:
                    found[name] = error
    return found


def _read(
    names: list[str], judged: dict[str, list[date]], spec: Spec, settings: Settings
) -> dict[str, pd.DataFrame]:
    """Return value and units of each published day of KPIs of one mart, and of their past."""
    from ratchet.warehouse import read_published

    kpi = spec.kpis[names[0]]
    values = ", ".join(
        f'({_sql(spec.kpis[n])})::double as "{n}", '
        f'sum({spec.kpis[n].rows})::double as "rows of {n}"'
        for n in names
    )
    query = f"""
        select {kpi.date}::timestamp as day, {values}
        from gold.{kpi.table}
        where {kpi.date} between ? and ?
        group by all
        order by all"""  # noqa: S608 - names come from the spec, which allows only [a-z0-9_]
    bounds = [min(judged[n][0] for n in names) - PAST, max(judged[n][-1] for n in names)]
    try:
        table = read_published(spec, settings, query, bounds).set_index("day")
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        said = str(error).splitlines()[0].partition(": ")[2]
        raise EvidenceError(
            f"gold.{kpi.table} is not published as kpis.{names[0]} reads it ({said}); build and "
            f"publish the table, or correct kpis.{names[0]}"
        ) from error
    return {
        name: table[[name, f"rows of {name}"]].set_axis(["value", "rows"], axis=1) for name in names
    }


def _sql(kpi: Kpi) -> str:
    if kpi.aggregation == "ratio":
        return f"sum({kpi.numerator}) / nullif(sum({kpi.denominator}), 0)"
    return f"{'sum' if kpi.aggregation == 'sum' else 'avg'}({kpi.value})"


def _series(name: str, kpi: Kpi, found: pd.DataFrame, judged: list[date]) -> _Series:
    known = pd.DatetimeIndex(found.index).date
    whole = pd.date_range(min([*known, judged[0]]), judged[-1])
    table = found.reindex(whole)
    rows = table["rows"].fillna(0).to_numpy(np.float64)
    values = table["value"].to_numpy(np.float64)
    if kpi.aggregation == "sum":  # a day without rows has nothing
        values = np.where(np.isnan(values), 0.0, values)
    scaled, noise = values, np.zeros(values.size)
    if kpi.floor.is_relative:
        if (values < 0).any():
            raise EvidenceError(
                f"it is negative on {whole[int(np.nanargmin(values))]:%Y-%m-%d}, so no change of "
                f"it is relative; give kpis.{name}.floor as absolute"
            )
        usual = _usual(values)
        scaled = np.log(np.maximum(values, _NOTHING * usual))
        noise = _counting(kpi, usual, rows)
    return _Series(name, kpi, list(whole.date), values, scaled, rows.astype(np.int64), noise)


def _usual(values: NDArray[np.float64]) -> float:
    known = values[values > 0]
    return float(np.median(known)) if known.size else 1.0


def _counting(kpi: Kpi, usual: float, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of a count's, or of a share's, logarithm, by chance alone.

    1 / sqrt(n) of a Poisson count of n; sqrt((1 - p) / (p n)) of a share p of n units.
    """
    if kpi.value == kpi.rows:
        return np.full(rows.size, usual**-0.5)
    if kpi.denominator == kpi.rows and usual < 1:
        return np.asarray(((1 - usual) / (usual * np.maximum(rows, 1))) ** 0.5)
    return np.zeros(rows.size)


def _judge(series: _Series, judged: list[date], window: Window, spec: Spec) -> Iterator[Signal]:
    kpi, days = series.kpi, series.days
    near = near_holidays(spec.quality.holidays, range(days[0].year - 1, days[-1].year + 2))
    # a sum of few is a small sum; a mean of few is no mean
    enough = np.full(len(days), True) if kpi.aggregation == "sum" else series.rows >= kpi.min_rows
    usual = np.array([day not in near for day in days]) & enough
    weekdays = np.array([day.weekday() for day in days])
    places = [days.index(day) for day in judged]
    forecasts = forecast_days(series.scaled, weekdays, usual, places)
    for place, forecast in zip(places, forecasts, strict=True):
        yield _level(series, place, forecast if enough[place] else None, near, window)
        if kpi.guardrail:
            yield _guardrail(series, place, bool(enough[place]), window)


def _level(
    series: _Series,
    place: int,
    forecast: DayForecast | None,
    near: dict[date, str],
    window: Window,
) -> Signal:
    kpi, day, value = series.kpi, series.days[place], float(series.values[place])
    holiday = near.get(day)
    floor = kpi.floor.at(is_near_holiday=holiday is not None)
    about = {
        "window": window.key,
        "family": "kpi",
        "rule": "level",
        "subject": series.name,
        "segment": f"{day}",
        "rows": int(series.rows[place]),
        "unit": kpi.unit,
        "reference": "the KPI's own past: its level, its weekday, how far days stray",
    }
    if forecast is None:
        text = (
            f"{series.name} of {day:%a %Y-%m-%d} rests on {series.rows[place]:,} units "
            f"({kpi.min_rows:,} are needed), or too little of its past is known to say what is "
            "usual; nothing to do but wait."
        )
        return Signal.model_validate({**about, "is_enough": False, "floor": floor, "text": text})
    forecast = forecast.at_least(float(series.noise[place]))
    is_up = forecast.error > 0
    limit = forecast.limit(NULL_P)
    if kpi.floor.is_relative:
        expected = float(np.exp(forecast.expected))
        effect = abs(float(np.expm1(forecast.error)))
        null_limit = abs(float(np.expm1(limit if is_up else -limit)))
        floor = floor if is_up else floor / (1 + floor)
    else:
        expected, effect, null_limit = forecast.expected, abs(forecast.error), limit
    signal = Signal.model_validate(
        {
            **about,
            "is_enough": True,
            "value": value,
            "expected": expected,
            "effect": effect,
            "floor": floor,
            "null_limit": null_limit,
            "p_value": forecast.p_value,
            "direction": "up" if is_up else "down",
            "text": "",
        }
    )
    return signal.model_copy(update={"text": _sentence(signal, series, forecast, holiday)})


def _sentence(signal: Signal, series: _Series, forecast: DayForecast, holiday: str | None) -> str:
    """Say what was seen of a day, and what to do."""
    kpi, day = series.kpi, date.fromisoformat(signal.segment or "")
    value, expected, effect = signal.value or 0.0, signal.expected or 0.0, signal.effect or 0.0
    size = f"{effect:.0%}" if kpi.floor.is_relative else f"{effect:,.4g} {kpi.unit}"
    when = f"{day:%a %Y-%m-%d}{f', near {holiday},' if holiday else ''}"
    seen = (
        f"{series.name} of {when} is {value:,.4g} {kpi.unit}, {size} {signal.direction} from the "
        f"{expected:,.4g} that its past makes expected"
    )
    if effect < max(signal.floor, signal.null_limit or 0.0):
        return f"{seen}: nothing to act on."
    if kpi.floor.is_relative and abs(forecast.error - np.log(2)) <= forecast.limit(_LIKELY):
        return (
            f"{seen}: twice as much, as if all were counted double; look for rows that came twice "
            f"into {kpi.table}, before anything is decided on it."
        )
    direction: Literal["up", "down"] = "up" if signal.direction == "up" else "down"
    if kpi.is_worse(direction):
        return f"{seen}; find out what changed, in the data of {kpi.table} first."
    return f"{seen}: to the good, so verify that {kpi.table} is right before anybody relies on it."


def _guardrail(series: _Series, place: int, is_enough: bool, window: Window) -> Signal:
    kpi, day, value = series.kpi, series.days[place], float(series.values[place])
    assert kpi.guardrail is not None
    least = -np.inf if kpi.guardrail.min is None else kpi.guardrail.min
    most = np.inf if kpi.guardrail.max is None else kpi.guardrail.max
    about = {
        "window": window.key,
        "family": "kpi",
        "rule": "guardrail",
        "subject": series.name,
        "segment": f"{day}",
        "rows": int(series.rows[place]),
        "floor": _ANY,
        "unit": kpi.unit,
        "reference": f"hard limits of kpis.{series.name}.guardrail",
    }
    what = f"{series.name} of {day:%a %Y-%m-%d}"
    if not is_enough or not np.isfinite(value):
        text = (
            f"{what} rests on {series.rows[place]:,} units, and {kpi.min_rows:,} are needed; "
            "nothing to do but wait."
        )
        return Signal.model_validate({**about, "is_enough": False, "text": text})
    is_up = value - most > least - value
    beyond = max(value - most, least - value, 0.0)
    limit = most if is_up else least
    text = f"{what} is {value:,.4g} {kpi.unit}, "
    text += (
        f"beyond its hard limit of {limit:,.4g}: {kpi.reason} Look at once, and at the rows of "
        f"{kpi.table} first."
        if beyond
        else f"within its hard limits; the nearest is {limit:,.4g}. Nothing to do."
    )
    return Signal.model_validate(
        {
            **about,
            "is_enough": True,
            "value": value,
            "expected": limit,
            "effect": beyond,
            "null_limit": 0.0,  # no chance takes a value beyond a limit without its being beyond
            "p_value": 0.0 if beyond else 1.0,
            "direction": "up" if is_up else "down",
            "text": text,
        }
    )
