"""What the plugins change in Airflow."""

import importlib
import re

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.dialects import postgresql

from ratchet.settings import PROJECT


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.syspath_prepend(str(PROJECT / "plugins"))
    importlib.import_module("sqlite_clock")


def test_now_on_sqlite_has_fractions_of_a_second():
    with create_engine("sqlite://").connect() as connection:
        query = str(select(func.now()).compile(connection.engine))
        moment = connection.exec_driver_sql(query).scalar()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", str(moment))


def test_now_on_postgres_stays_as_it_is():
    assert "now()" in str(select(func.now()).compile(dialect=postgresql.dialect()))
