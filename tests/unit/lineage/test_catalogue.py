"""The page that analysts open, read as their browser does."""

import json
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from ratchet.cli import main
from ratchet.lineage import write_catalogue
from ratchet.quality import Finding, write_findings
from ratchet.settings import Settings
from ratchet.spec.types import Column
from ratchet.window import Window

TEMPLATE = files("dbt.task.docs").joinpath("index.html").read_text()
FAULT = Finding(
    check="range", subject="weather", state="found", rows=1, text="EWR blew at 1,048 mph; mend it"
)


def read(page):
    """Return the manifest and the catalog that a page holds."""
    decoder = json.JSONDecoder()
    manifest, end = decoder.raw_decode(page, TEMPLATE.index('"MANIFEST.JSON INLINE DATA"'))
    assert page[end:].startswith(",catalog:")
    catalog, _ = decoder.raw_decode(page, end + len(",catalog:"))
    return manifest, catalog


@pytest.fixture(scope="module")
def page(traced, flights_spec):
    weather = flights_spec.feeds["weather"]
    pressure = Column(
        **weather.columns["pressure_hpa"].model_dump(exclude={"description", "tags"}),
        tags=("pii",),
        description="Sea-level pressure in hPa </script><script>alert(1)</script>",
    )
    columns = weather.columns | {"pressure_hpa": pressure}
    feeds = flights_spec.feeds | {"weather": weather.model_copy(update={"columns": columns})}
    spec = flights_spec.model_copy(update={"feeds": feeds})
    last = Window(datetime(2013, 1, 18, tzinfo=UTC), datetime(2013, 1, 22, tzinfo=UTC))
    write_findings(spec, last, "planted", [FAULT], traced)
    return write_catalogue(spec, traced).read_text()


def test_column_says_where_it_comes_from_and_who_uses_it(page):
    manifest, catalog = read(page)
    features = manifest["nodes"]["model.ratchet.feat_flights"]["columns"]
    assert "From `weather.temperature_f`." in features["temperature_f"]["description"]
    source = manifest["sources"]["source.ratchet.flights.weather"]["columns"]
    used = "Used in `temperature_f`, read by 1 release, the last one 1."
    assert used in source["temperature_f"]["description"]
    assert "Used in" not in source["pressure_hpa"]["description"]
    assert source["pressure_hpa"]["tags"] == ["pii"]
    bronze = manifest["nodes"]["model.ratchet.stg_flights__weather"]["columns"]
    assert "From `weather.pressure_hpa` (pii)." in bronze["pressure_hpa"]["description"]
    rows = catalog["nodes"]["model.ratchet.feat_flights"]["stats"]["rows"]["value"]
    assert rows > 4000


def test_table_says_who_owns_it_and_how_its_data_was(page, flights_spec):
    manifest, _ = read(page)
    weather = manifest["sources"]["source.ratchet.flights.weather"]
    assert flights_spec.owner.name in weather["meta"]["owner"]
    assert "1 found; EWR blew at 1,048 mph" in weather["description"]
    assert "quarantined" in weather["description"]
    features = manifest["nodes"]["model.ratchet.feat_flights"]["description"]
    assert "| State | not blocked |" in features
    assert "| Last decision on the data | accepted" in features


def test_page_needs_nothing_else_and_no_data_leaves_its_script(page):
    assert "INLINE DATA" not in page
    assert page.count("</script>") == TEMPLATE.count("</script>")
    manifest, _ = read(page)
    pressure = manifest["sources"]["source.ratchet.flights.weather"]["columns"]["pressure_hpa"]
    assert "</script>" in pressure["description"]


def test_page_is_of_what_is_published(tmp_path, flights_spec, capsys, monkeypatch):
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    monkeypatch.setattr("ratchet.lineage.catalogue.compile_project", lambda _: pytest.fail("late"))
    assert main(["catalogue"]) == 1
    assert "nothing is published" in capsys.readouterr().err
    assert not Settings(tmp_path, tmp_path).home.joinpath("reports").exists()
