"""Getting alerts out: each by each channel of its route, at least once, as a rule exactly once.

What there is to tell of a window is written down, with its channels, before anybody tries to send
it, and each message gets a receipt afterwards. One process sends at a time. Only one that is killed
between a channel's answer and the receipt sends twice, and both messages carry the alert's id: as
the message's id in an e-mail, as the header `Idempotency-Key` of a webhook, and in the text.
"""

from __future__ import annotations

import fcntl
import json
import logging
import smtplib
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ratchet.incidents.alert import Alert
from ratchet.incidents.store import alerts_by_channel, incident_windows, read_alerts
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.alerts import Channel
from ratchet.storage import write_new
from ratchet.window import Window

_log = logging.getLogger(__name__)
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Address:
    """Where a channel leads to, and what it takes to get in; none of it stands in a spec.

    `url` is a webhook's; `host` to `password` are a mail server's, and `sender` whom mail is from.
    """

    url: str = ""
    host: str = ""
    port: int = 0
    login: str = ""
    password: str = ""
    sender: str = ""


Send = Callable[[Channel, Alert], None]


class Delivery(NamedTuple):
    """An alert on its way out by one channel."""

    alert: Alert
    channel: str


def pending(spec: Spec, settings: Settings) -> list[Delivery]:
    """Return what is to go out and has no receipt yet, oldest first."""
    sent = {path.name for path in _receipts(spec, settings).glob("*.json")}

    def is_due(alert: str, channel: str) -> bool:
        return channel in spec.alerts.channels and _receipt(alert, channel) not in sent

    # most windows have nothing left to send, and so are not read as a whole
    windows = [
        window
        for window in incident_windows(spec, settings)
        if any(is_due(*each) for each in alerts_by_channel(spec, window, settings))
    ]
    return [
        Delivery(alert, channel)
        for alert in read_alerts(spec, windows, settings)
        for channel in alert.channels
        if is_due(alert.id, channel)
    ]


def deliver(spec: Spec, settings: Settings, send: Send) -> int:
    """Send what is pending; return how many messages went out.

    One channel that fails keeps no other from being tried.

    Raises
    ------
    ConnectionError
        If anything could not be sent. Run again, it sends the rest.
    """
    failed = []
    receipts = _receipts(spec, settings)
    with _alone(receipts):
        todo = pending(spec, settings)
        for alert, name in todo:
            try:
                send(spec.alerts.channels[name], alert)
            except Exception as error:
                failed.append(f"{name}: {alert.id}: {type(error).__name__}: {error}")
                continue
            receipt = {"alert": alert.id, "window": alert.window, "channel": name}
            write_new(receipts / _receipt(alert.id, name), json.dumps(receipt).encode())
    if failed:
        raise ConnectionError("could not be sent, and will be tried again: " + "; ".join(failed))
    return len(todo)


def _receipts(spec: Spec, settings: Settings) -> Path:
    return settings.lake(spec.name).incidents / "receipts"


def _receipt(alert: str, channel: str) -> str:
    return f"{alert}.{channel}.json"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def send(channel: Channel, alert: Alert, address: Address) -> None:
    """Send an alert by a channel.

    Raises
    ------
    OSError
        If nobody answers, or the answer is a refusal.
    ValueError
        If the address is not one of the channel's kind.
    """
    if channel.kind == "log":
        _log.warning(message(alert))
    elif channel.kind == "email":
        _send_mail(alert, address)
    elif channel.kind == "slack":
        _post(alert, address.url, {"text": message(alert)})
    else:
        content = alert.model_dump(mode="json", exclude={"channels"})
        _post(alert, address.url, {**content, "message": message(alert)})


def message(alert: Alert) -> str:
    """Return what a person reads: what, how bad, since when, whose, and what to do."""
    if alert.incident is None:
        return f"{alert.title}\n{alert.text}"
    parts = [f"[{alert.severity}] {alert.title} ({alert.event}, {alert.incident})", alert.text]
    if alert.event != "resolved":
        good = Window.parse(alert.last_good) if alert.last_good else "none known"
        parts.append(
            f"Rule: {alert.rule}. Value: {_number(alert.value)}, threshold: "
            f"{_number(alert.threshold)}{f' {alert.unit}' if alert.unit else ''}, of "
            f"{alert.rows or 0:,} rows. Window: {Window.parse(alert.window)}. Last good: {good}."
        )
    parts.append(f"Owner: {alert.owner_name} <{alert.owner_email}>. Alert {alert.id}.")
    return "\n".join(parts)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _send_mail(alert: Alert, address: Address) -> None:
    mail = EmailMessage()
    mail["Subject"] = f"[{alert.severity}] {alert.title}"
    mail["From"], mail["To"] = address.sender, alert.owner_email
    mail["Message-ID"] = f"<{alert.id}@ratchet>"
    mail.set_content(message(alert))
    with smtplib.SMTP(address.host, address.port, timeout=_PATIENCE_S) as server:
        server.ehlo()
        if server.has_extn("starttls") or address.login:  # no password goes in the clear
            server.starttls(context=ssl.create_default_context())
        if address.login:
            server.login(address.login, address.password)
        server.send_message(mail)


def _post(alert: Alert, url: str, content: dict[str, object]) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("the connection holds no URL of http or https; put it into its extra")
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
        url,
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": alert.id},
    )
    # an answer that is a refusal raises, and the URL, which is secret, is in no error
    with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
        answer.read()
