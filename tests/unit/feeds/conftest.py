from datetime import date
from pathlib import Path

import pytest
from small_site import Site

from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.types import Active, Column, Feed


@pytest.fixture
def site(spec: Spec, tmp_path: Path) -> Site:
    gates = Feed(
        producer="Gate desks",
        description="One row per gate.",
        files="daily",
        active=Active(start=date(2013, 3, 1), end=date(2013, 3, 6)),
        key=("gate",),
        max_quarantined_share=0.5,
        columns={
            "gate": Column(type="text", description="Name."),
            "size": Column(type="integer", nullable=True, max=9, description="Square metres."),
        },
    )
    halls = Feed(
        producer="Hall office",
        description="One row per hall.",
        files="once",
        active=Active(start=date(2013, 3, 1)),
        key=("hall",),
        max_quarantined_share=0,
        columns={
            "hall": Column(type="text", description="Name."),
            "opened_at": Column(type="timestamp", description="Opening."),
        },
    )
    feeds = {"gates": gates, "halls": halls}
    airport = spec.model_copy(update={"name": "airport", "feeds": feeds})
    site = Site(airport, Settings(tmp_path, tmp_path))
    site.send_all()
    return site
