"""A header is the contract's, or says by name which column was added, lost, moved or renamed."""

import pytest

from ratchet.errors import FeedError
from ratchet.feeds.header import HeaderError, read_header
from ratchet.spec import Spec
from ratchet.spec.types import Column

WEATHER = (
    "origin,observed_at,temperature_f,dew_point_f,humidity_pct,wind_direction_deg,wind_speed_mph,"
    "wind_gust_mph,precipitation_in,pressure_hpa,visibility_mi,sent_at\n"
)


@pytest.fixture
def columns(spec: Spec) -> dict[str, Column]:
    return spec.feeds["weather"].columns


def test_read_header_of_the_contract_has_no_drift(columns: dict[str, Column]) -> None:
    assert read_header(WEATHER, columns) == (list(columns), [])


def test_read_header_reordered_passes_and_is_noted(columns: dict[str, Column]) -> None:
    line = WEATHER.replace("origin,observed_at", "observed_at,origin")
    names, drift = read_header(line, columns)
    assert names[:2] == ["observed_at", "origin"]
    assert drift == [f"reordered: {line.strip().replace(',', ', ')}"]


def test_read_header_alias_stands_for_its_column_and_is_noted(columns: dict[str, Column]) -> None:
    pressure = columns["pressure_hpa"].model_copy(update={"aliases": ("Pressure (hPa)",)})
    line = WEATHER.replace("pressure_hpa", "Pressure (hPa)")
    names, drift = read_header(line, columns | {"pressure_hpa": pressure})
    assert names == list(columns)
    assert drift == ["renamed: Pressure (hPa) to pressure_hpa"]
    with pytest.raises(HeaderError, match="names a column twice: pressure_hpa"):
        read_header(line.replace("\n", ",pressure_hpa\n"), columns | {"pressure_hpa": pressure})


@pytest.mark.parametrize(
    "old, new, message, drift",
    [
        (
            ",humidity_pct",
            "",
            "its header lacks humidity_pct",
            ["missing: humidity_pct"],
        ),
        (
            "sent_at",
            "sent_at,station",
            "the spec does not know station; add it to the feed's columns",
            ["added: station"],
        ),
        (
            "wind_speed_mph",
            "wind_speed_kmh",
            "wind_speed_mph looks renamed to wind_speed_kmh; if it means the same in the same unit",
            ["looks renamed: wind_speed_mph to wind_speed_kmh"],
        ),
        (
            "pressure_hpa",
            "qnh",
            "pressure_hpa looks renamed to qnh; if it means",
            ["looks renamed: pressure_hpa to qnh"],
        ),
        (
            "pressure_hpa,visibility_mi",
            "visibility,station",
            "visibility_mi looks renamed to visibility; ",
            [
                "missing: pressure_hpa",
                "added: station",
                "looks renamed: visibility_mi to visibility",
            ],
        ),
    ],
    ids=["missing", "added", "similar name", "same place", "similar before place"],
)
def test_read_header_drift_is_refused_by_name(
    columns: dict[str, Column], old: str, new: str, message: str, drift: list[str]
) -> None:
    with pytest.raises(HeaderError) as raised:
        read_header(WEATHER.replace(old, new), columns)
    assert message in str(raised.value)
    assert sorted(raised.value.drift) == sorted(drift)


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_read_header_other_delimiter_is_named(columns: dict[str, Column], mark: str) -> None:
    with pytest.raises(FeedError, match=r"parted by .*; part them by commas"):
        read_header(WEATHER.replace(",", mark), columns)
