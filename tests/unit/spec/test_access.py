"""What may not be used, or may not lie here, is refused by the linter and again at run time."""

from dataclasses import replace

import pytest
from model_lake import FIRST

from ratchet.errors import AccessError
from ratchet.feeds import land
from ratchet.settings import Settings
from ratchet.spec import Spec, refuse_restricted, restricted_columns
from ratchet.warehouse import publish, take_snapshot


def restricting(spec: Spec, feed: str, column: str) -> Spec:
    """Tag a column of a feed as restricted."""
    columns = dict(spec.feeds[feed].columns)
    columns[column] = columns[column].model_copy(update={"tags": ("restricted",)})
    feeds = {**spec.feeds, feed: spec.feeds[feed].model_copy(update={"columns": columns})}
    return spec.model_copy(update={"feeds": feeds})


def test_refuse_restricted_names_features_and_columns(spec):
    tagged = restricting(spec, "movements", "tail_number")
    assert restricted_columns(tagged) == {("movements", "tail_number")}
    sources = {
        "origin_waiting": [("movements", "event_at")],
        "carrier_waiting": [("movements", "event_at"), ("movements", "tail_number")],
    }
    with pytest.raises(AccessError) as raised:
        refuse_restricted(tagged, sources, sources)
    assert "carrier_waiting is computed from movements.tail_number: tagged" in str(raised.value)
    assert "origin_waiting" not in str(raised.value)


def test_refuse_restricted_without_a_tag_lets_everything_through(spec):
    sources = {"origin_waiting": [("movements", "event_at")]}
    refuse_restricted(spec, sources, sources)


def test_refuse_restricted_condition_counts_until_it_is_accepted_by_name(spec):
    tagged = restricting(spec, "movements", "tail_number")
    values = {"origin_waiting": {("movements", "event_at")}}
    every = {"origin_waiting": {("movements", "event_at"), ("movements", "tail_number")}}
    name = "restricted_condition:feat_flights.origin_waiting[movements.tail_number]"
    with pytest.raises(AccessError, match=r"movements\.tail_number decides which rows") as raised:
        refuse_restricted(tagged, values, every)
    assert name in str(raised.value)

    quality = spec.quality.model_copy(update={"accepted": {name: "Only joins copies away."}})
    refuse_restricted(tagged.model_copy(update={"quality": quality}), values, every)
    with pytest.raises(AccessError, match="is computed from"):  # what nobody can accept
        refuse_restricted(tagged.model_copy(update={"quality": quality}), every, every)


def test_take_snapshot_feature_of_a_restricted_column_is_refused_by_its_lineage(
    model_lake, monkeypatch
):
    """As no linter sees it: the feature has another name, and SQL stands between."""
    sources = {"wind_gust_mph": frozenset({("weather", "pressure_hpa")})}
    monkeypatch.setattr("ratchet.lineage.graph.feature_sources", lambda *_, conditions: sources)
    spec = model_lake.spec
    tagged = restricting(spec, "weather", "pressure_hpa")
    with pytest.raises(AccessError, match=r"wind_gust_mph is computed from weather\.pressure_hpa"):
        take_snapshot(tagged, FIRST, model_lake.settings)
    assert not model_lake.lake.snapshots.exists()
    assert take_snapshot(restricting(spec, "planes", "seats"), FIRST, model_lake.settings).rows


@pytest.mark.parametrize(("region", "there"), [("us", "'us'"), (None, "none that RATCHET_REGION")])
@pytest.mark.parametrize(
    "write",
    [lambda *stage: land(*stage, "run"), publish],
    ids=["land", "publish"],
)
def test_data_of_a_region_is_not_written_to_a_store_of_another(
    spec, tmp_path, write, region, there
):
    kept = spec.model_copy(update={"region": "eu"})
    settings = Settings(tmp_path, tmp_path, region)
    text = f"must stay in region 'eu', and this store is in {there}"
    with pytest.raises(AccessError, match=text):
        write(kept, FIRST, settings)
    assert list(tmp_path.iterdir()) == []


def test_data_of_a_region_is_landed_in_a_store_of_it(spec, flights_inbox, tmp_path):
    airlines = {"airlines": spec.feeds["airlines"]}
    kept = spec.model_copy(update={"region": "eu", "feeds": airlines})
    settings = replace(Settings(tmp_path, tmp_path), region="eu")
    source = flights_inbox / "flights" / "airlines"
    (settings.inbox / "flights").mkdir(parents=True)
    (settings.inbox / "flights" / "airlines").symlink_to(source)
    (landing,) = land(kept, FIRST, settings, "run")
    assert landing.accepted == 16
