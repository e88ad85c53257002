"""Messages go out once each, by channels that were asked for, whatever fails in between."""

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from incidents_made import FIRST, signal, week

from ratchet.incidents import Address, Alert, deliver, judge_window, message, open_incidents, send
from ratchet.monitoring import write_signals
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.alerts import Channel, Routes

ALERT = Alert(
    id="0123456789abcdef",
    window=FIRST.key,
    event="opened",
    incident="1a2b3c4d",
    cause="kpi",
    severity="ticket",
    route="ticket",
    channels=("log",),
    owner_name="Ann",
    owner_email="ann@ratchet.example",
    title="KPI departures moved, without a fault of data",
    rule="kpi.level:departures",
    value=412.5,
    threshold=100,
    unit="flights",
    rows=900,
    last_good="2013-02-22T0000--2013-03-01T0000",
    text="It rose; count again.",
)


@pytest.fixture
def open_kpi(spec: Spec, settings: Settings) -> Spec:
    """Let a KPI move; return the spec, which tells of it by two channels."""
    channels = {
        "log": Channel(kind="log"),
        "chat": Channel(kind="slack", connection="ratchet_chat"),
    }
    routes = Routes(ticket=("log", "chat"))
    alerts = spec.alerts.model_copy(update={"channels": channels, "routes": routes})
    spec = spec.model_copy(update={"alerts": alerts})
    moved = signal(family="kpi", rule="level", subject="departures", column=None)
    write_signals(spec, FIRST, "made", [moved], settings)
    judge_window(spec, FIRST, settings)
    open_incidents(spec, FIRST, settings)
    return spec


def test_deliver_sends_each_message_once_however_often_it_runs(open_kpi: Spec, settings: Settings):
    out: list[tuple[str, str]] = []
    for _ in range(3):
        open_incidents(open_kpi, FIRST, settings)
        deliver(open_kpi, settings, lambda channel, alert: out.append((channel.kind, alert.event)))
    assert sorted(out) == [("log", "digest"), ("log", "opened"), ("slack", "opened")]


def test_deliver_channel_that_fails_keeps_no_other_back_and_is_tried_again(
    open_kpi: Spec, settings: Settings
):
    out: list[str] = []
    broken = True

    def sending(channel: Channel, alert: Alert) -> None:
        if broken and channel.kind == "slack":
            raise TimeoutError("nobody answers")
        out.append(f"{channel.kind} {alert.event}")

    with pytest.raises(ConnectionError, match=r"chat: .*nobody answers"):
        deliver(open_kpi, settings, sending)
    assert sorted(out) == ["log digest", "log opened"]
    broken = False
    assert deliver(open_kpi, settings, sending) == 1
    assert out[-1] == "slack opened"


def test_deliver_killed_after_sending_sends_again_with_the_same_id(
    open_kpi: Spec, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    out: list[str] = []

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ratchet.incidents.delivery.write_new", killed)
        with pytest.raises(KeyboardInterrupt):
            deliver(open_kpi, settings, lambda _, alert: out.append(alert.id))
    first = list(out)
    deliver(open_kpi, settings, lambda _, alert: out.append(alert.id))
    assert len(first) == 1
    assert out.count(first[0]) == 3  # both channels, and the one that was killed


def test_deliver_channel_that_is_no_more_gets_nothing(open_kpi: Spec, settings: Settings):
    alerts = open_kpi.alerts.model_copy(update={"channels": {"log": Channel(kind="log")}})
    later = open_kpi.model_copy(update={"alerts": alerts})
    out: list[str] = []
    deliver(later, settings, lambda channel, _: out.append(channel.kind))
    assert set(out) == {"log"}
    assert open_incidents(later, week(1), settings)


def test_message_says_all_that_one_needs():
    assert message(ALERT) == (
        "[ticket] KPI departures moved, without a fault of data (opened, 1a2b3c4d)\n"
        "It rose; count again.\n"
        "Rule: kpi.level:departures. Value: 412.5, threshold: 100 flights, of 900 rows. "
        "Window: 2013-03-01 → 2013-03-08. Last good: 2013-02-22 → 2013-03-01.\n"
        "Owner: Ann <ann@ratchet.example>. Alert 0123456789abcdef."
    )


def test_send_log_writes_a_warning(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="ratchet.incidents.delivery"):
        send(Channel(kind="log"), ALERT, Address())
    assert "count again" in caplog.text


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[str | None, dict]]]]:
    """Listen on this machine as a webhook does; yield its URL, and what came in."""
    came: list[tuple[str | None, dict]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((self.headers["Idempotency-Key"], json.loads(body)))
            self.send_response(404 if self.path == "/gone" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", came
        server.shutdown()
        thread.join()


def test_send_webhook_posts_all_fields_with_the_id(hook):
    url, came = hook
    send(Channel(kind="webhook", connection="c"), ALERT, Address(url=url))
    ((key, content),) = came
    assert key == ALERT.id
    assert (content["value"], content["owner_email"]) == (412.5, "ann@ratchet.example")
    assert content["message"] == message(ALERT)


def test_send_slack_posts_text(hook):
    url, came = hook
    send(Channel(kind="slack", connection="c"), ALERT, Address(url=url))
    assert came[0][1] == {"text": message(ALERT)}


def test_send_refusal_raises_and_names_no_secret(hook):
    url, _ = hook
    with pytest.raises(OSError, match="404") as refused:
        send(Channel(kind="slack", connection="c"), ALERT, Address(url=f"{url}/gone"))
    assert "/gone" not in str(refused.value)
    refused.value.close()


@pytest.mark.parametrize("url", ["", "file:///etc/passwd"])
def test_send_what_is_no_web_address_is_refused(url: str):
    with pytest.raises(ValueError, match="holds no URL"):
        send(Channel(kind="webhook", connection="c"), ALERT, Address(url=url))


class Mailbox(socketserver.StreamRequestHandler):
    """Takes one message, as RFC 5321 has it, without TLS."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        is_data = False
        for line in self.rfile:
            self.server.lines.append(line.decode().rstrip())
            if is_data:
                if line == b".\r\n":
                    is_data = False
                    self.wfile.write(b"250 kept\r\n")
                continue
            command = line[:4].upper()
            is_data = command == b"DATA"
            answers = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
            self.wfile.write(answers.get(command, b"250 here\r\n"))
            if command == b"QUIT":
                return


@pytest.fixture
def mailbox() -> Iterator[socketserver.TCPServer]:
    with socketserver.TCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.lines = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_send_mail_goes_to_the_owner_with_the_id(mailbox):
    host, port = mailbox.server_address
    address = Address(host=host, port=port, sender="ratchet@ratchet.example")
    send(Channel(kind="email", connection="c"), ALERT, address)
    assert f"Message-ID: <{ALERT.id}@ratchet>" in mailbox.lines
    assert "To: ann@ratchet.example" in mailbox.lines
    assert "Subject: [ticket] KPI departures moved, without a fault of data" in mailbox.lines


def test_send_mail_gives_no_password_away_without_tls(mailbox):
    host, port = mailbox.server_address
    address = Address(host=host, port=port, login="ann", password="secret", sender="r@r.example")
    with pytest.raises(OSError, match="STARTTLS"):
        send(Channel(kind="email", connection="c"), ALERT, address)
    assert not any("secret" in line or "AUTH" in line for line in mailbox.lines)
