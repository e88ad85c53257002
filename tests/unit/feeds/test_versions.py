"""A contract's change passes, or needs another version; windows keep what they were landed with."""

from typing import Any

import pytest
from small_site import FIRST, SECOND, Site

from ratchet.feeds.versions import Contract, changes
from ratchet.ledger import Ledger
from ratchet.spec import Spec
from ratchet.spec.owner import Owner
from ratchet.spec.types import Column

SPEED = "wind_speed_mph"


def changed(contract: Contract, name: str, **fields: Any) -> Contract:
    """Return a contract with some fields of one column set."""
    columns = dict(contract.columns)
    columns[name] = columns[name].model_copy(update=fields)
    return contract.model_copy(update={"columns": columns})


@pytest.fixture
def weather(spec: Spec) -> Contract:
    return Contract.of(spec.feeds["weather"])


def test_changes_of_the_same_contract_are_none(weather: Contract) -> None:
    assert changes(weather, weather) == ([], [])


@pytest.mark.parametrize(
    "name, fields, sentence",
    [
        (SPEED, {"max": 300}, f"{SPEED}: max was 253 and is 300"),
        (SPEED, {"max": None}, f"{SPEED}: max was 253 and is none"),
        (SPEED, {"min": -1}, f"{SPEED}: min was 0 and is -1"),
        ("sent_at", {"nullable": True}, "sent_at: may now be missing"),
        ("origin", {"values": ("EWR", "JFK", "LGA", "TEB")}, "origin: may be TEB too"),
        ("origin", {"values": None}, "origin: may be any text"),
        ("origin", {"description": "Airport."}, "origin: description is another"),
        ("origin", {"aliases": ("airport",)}, "origin: aliases is another"),
    ],
)
def test_changes_that_keep_old_rows_acceptable_are_compatible(
    weather: Contract, name: str, fields: dict[str, Any], sentence: str
) -> None:
    assert changes(weather, changed(weather, name, **fields)) == ([sentence], [])


@pytest.mark.parametrize(
    "name, fields, sentence",
    [
        (SPEED, {"max": 200}, f"{SPEED}: max was 253 and is 200"),
        (SPEED, {"min": 1}, f"{SPEED}: min was 0 and is 1"),
        (SPEED, {"nullable": False}, f"{SPEED}: may no longer be missing"),
        (SPEED, {"type": "integer"}, f"{SPEED}: type was number and is integer"),
        ("origin", {"values": ("EWR", "JFK")}, "origin: may no longer be LGA"),
    ],
)
def test_changes_that_old_rows_may_break_are_incompatible(
    weather: Contract, name: str, fields: dict[str, Any], sentence: str
) -> None:
    assert changes(weather, changed(weather, name, **fields)) == ([], [sentence])


def test_changes_back_and_forth_are_compatible_one_way(weather: Contract) -> None:
    wider = changed(weather, SPEED, max=300.0)
    assert [len(found) for found in changes(weather, wider)] == [1, 0]
    assert [len(found) for found in changes(wider, weather)] == [0, 1]


def test_changes_of_columns_and_key_are_named(weather: Contract) -> None:
    def altered(**update: Any) -> tuple[list[str], list[str]]:
        return changes(weather, weather.model_copy(update=update))

    text = Column(type="text", description="Station.")
    nullable = text.model_copy(update={"nullable": True})
    speed = weather.columns[SPEED].model_copy(update={"aliases": (SPEED,)})
    rest = {name: column for name, column in weather.columns.items() if name != SPEED}
    columns = weather.columns
    assert altered(columns=columns | {"station": nullable}) == (
        ["station is new, and may be missing"],
        [],
    )
    assert altered(columns=columns | {"station": text}) == (
        [],
        ["station is new, and may not be missing"],
    )
    assert altered(columns=rest) == ([], [f"{SPEED} is removed"])
    assert altered(columns=rest | {"wind": speed}) == ([], [f"{SPEED} is renamed to wind"])
    assert altered(key=("origin",)) == ([], ["the key was origin, observed_at and is origin"])
    assert altered(key=weather.key[::-1]) == ([], [])


def with_gates(site: Site, version: int = 1, **size: Any) -> None:
    """Declare another contract of the gates."""
    feed = site.spec.feeds["gates"]
    columns = dict(feed.columns)
    columns["size"] = columns["size"].model_copy(update=size)
    feed = feed.model_copy(update={"contract_version": version, "columns": columns})
    site.spec = site.spec.model_copy(update={"feeds": site.spec.feeds | {"gates": feed}})


def contracts(site: Site) -> list[Any]:
    decisions = Ledger(site.settings.lake("airport").ledger).decisions("contract")
    return [(d.window, d.subject["feed"], d.author, d.reasons) for d in decisions]


def test_land_compatible_change_passes_and_is_noted_with_the_window(site: Site) -> None:
    site.land(FIRST)
    with_gates(site, max=50.0)
    gates = site.land(SECOND)["gates"]
    assert gates.changes == ("size: max was 9 and is 50",)
    assert gates.contract == Contract.of(site.spec.feeds["gates"])
    assert site.landed(FIRST)["gates"].changes == ()
    assert contracts(site) == []


def test_land_incompatible_change_is_refused_and_leaves_the_feed_as_it_was(site: Site) -> None:
    owner = Owner(name="Gate office", email="gates@airport.example")
    gates = site.spec.feeds["gates"].model_copy(update={"owner": owner})
    site.spec = site.spec.model_copy(update={"feeds": site.spec.feeds | {"gates": gates}})
    site.land(FIRST)
    before = site.written()
    with_gates(site, max=5.0)
    message = site.land_blocked(SECOND)
    assert "- gates: since 2013-03-01 → 2013-03-04 its contract has changed" in message
    assert "size: max was 9 and is 5; undo that, or agree on it with Gate office" in message
    assert "raise contract_version to 2" in message
    assert [path for path in site.written() if path not in before and "/gates/" in path] == []
    assert "size: max was 9 and is 5" in site.land_blocked(FIRST)
    assert before.items() <= site.written().items()


def test_land_raised_version_passes_is_recorded_once_and_old_windows_keep_theirs(
    site: Site,
) -> None:
    site.land(FIRST)
    first = site.written()
    with_gates(site, version=2, max=1.0)
    for _ in range(2):
        assert site.land(SECOND)["gates"].quarantined == 0
    assert site.landed(SECOND)["gates"].contract == Contract.of(site.spec.feeds["gates"])
    author = f"{site.spec.owner.name} <{site.spec.owner.email}>"
    text = "The contract of gates is version 2, after 1: size: max was 9 and is 1."
    assert contracts(site) == [(SECOND.key, "gates", author, [text])]
    site.land(FIRST)
    assert {path: site.written()[path] for path in first} == first
    assert len(contracts(site)) == 1


def test_land_lowered_version_is_refused(site: Site) -> None:
    with_gates(site, version=2)
    site.land(FIRST)
    with_gates(site, version=1)
    assert (
        "contract_version is 1, and 2013-03-01 → 2013-03-04 was landed under 2; a version is "
        in (site.land_blocked(SECOND))
    )
    assert "write 2, or 3 with the contract that you want" in site.land_blocked(FIRST)


def test_land_window_that_was_blocked_takes_the_new_version(site: Site) -> None:
    site.land(FIRST)
    for name in ("gates_20130304.csv", "gates_20130305.csv"):
        site.send(name, b"gate,size\n%s,99\n" % name.encode())
    site.land_blocked(SECOND)
    with_gates(site, version=2, max=100.0, nullable=False)
    assert site.land(SECOND)["gates"].accepted == 2
    assert len(contracts(site)) == 1


def test_land_window_that_was_settled_keeps_its_contract_though_a_file_is_spoilt(
    site: Site,
) -> None:
    site.land(FIRST)
    sound = site.landed(FIRST)["gates"]
    with_gates(site, version=2, max=0.0)
    site.land_blocked(SECOND)
    site.send("gates_20130303.csv", b"gate,si")
    site.land_blocked(FIRST)
    site.send("gates_20130303.csv", b"gate,size\nC1,1\n")
    assert site.land(FIRST)["gates"] == sound


def test_land_window_landed_before_contracts_were_kept_is_compared_with_nothing(
    site: Site,
) -> None:
    site.land(FIRST)
    manifest = site.settings.lake("airport").landing("gates", FIRST) / "manifest.json"
    landing = site.landed(FIRST)["gates"].model_copy(update={"contract": None})
    manifest.write_text(landing.model_dump_json())
    with_gates(site, max=1.0)
    assert site.land(SECOND)["gates"].changes == ()
