"""Where a channel leads to stands in a connection of Airflow's, never in a spec."""

import pytest
from incidents_made import FIRST

from ratchet.incidents import Address, Alert
from ratchet.spec.alerts import Channel

ALERT = Alert(
    id="0123456789abcdef",
    window=FIRST.key,
    event="digest",
    incident=None,
    cause=None,
    severity="digest",
    route="digest",
    owner_name="Ann",
    owner_email="ann@ratchet.example",
    title="A quiet week",
    text="Nothing is open.",
)


@pytest.mark.parametrize(
    ("kind", "connection", "address"),
    [
        ("log", None, Address()),
        (
            "webhook",
            '{"conn_type": "http", "extra": {"url": "https://hook.example/a"}}',
            Address(url="https://hook.example/a"),
        ),
        (
            "slack",
            '{"conn_type": "slackwebhook", "password": "https://slack.example/T0/secret"}',
            Address(url="https://slack.example/T0/secret"),
        ),
        (
            "email",
            '{"conn_type": "smtp", "host": "mail.example", "login": "ann", "password": "x"}',
            Address(host="mail.example", port=587, login="ann", password="x", sender="ann"),
        ),
    ],
)
def test_notifier_sends_by_the_connection_that_the_channel_names(
    monkeypatch, kind: str, connection: str | None, address: Address
):
    from ratchet.orchestration.notifiers import ChannelNotifier

    sent = []
    monkeypatch.setattr("ratchet.incidents.send", lambda *given: sent.append(given))
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_RATCHET_ALERTS", connection)
    channel = Channel(kind=kind, connection="ratchet_alerts" if connection else None)
    ChannelNotifier(channel, ALERT)({})
    assert sent == [(channel, ALERT, address)]
