"""Tells people through Airflow: where a channel leads to stands in a connection of Airflow's."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.notifier import BaseNotifier

from ratchet.spec.alerts import Channel

if TYPE_CHECKING:
    from ratchet.decision import Decision
    from ratchet.incidents import Address, Alert
    from ratchet.spec import Spec

_log = logging.getLogger(__name__)

_SMTP_PORT = 587  # of submission, with STARTTLS (RFC 6409)


class ChannelNotifier(BaseNotifier):  # type: ignore[misc]
    """Sends one alert by one channel of a use case.

    The connection that the channel names holds, for a webhook, the URL: in the extra as `url`, or
    as the password if all of it is secret, as Slack's are; for e-mail, host, port, login and
    password of the server, and in the extra as `from_email` whom mail is from.
    """

    def __init__(self, channel: Channel, alert: Alert) -> None:
        super().__init__()
        self.channel = channel
        self.alert = alert

    def notify(self, context: Any) -> None:  # noqa: ARG002 - the alert says all
        """Send it; raises as `ratchet.incidents.send` does."""
        from ratchet.incidents import send

        send(self.channel, self.alert, _address(self.channel))


def tell_owner(spec: Spec, escalation: Decision, context: Any) -> None:
    """Tell the owner of a decision that nobody took in time, by the channels of a ticket.

    A channel that fails is logged, and keeps neither another one nor the task from going on: the
    escalation stands in the ledger.
    """
    from ratchet.incidents import Alert

    text = " ".join(escalation.reasons)
    alert = Alert(
        id=hashlib.sha256(escalation.model_dump_json().encode()).hexdigest()[:16],
        window=escalation.window,
        event="unanswered",
        incident=None,
        cause=None,
        severity="ticket",
        route="ticket",
        owner_name=spec.owner.name,
        owner_email=spec.owner.email,
        title=f"{spec.name}: nobody answered",
        text=text,
    ).by(spec.alerts)
    for name in alert.channels:
        try:
            ChannelNotifier(spec.alerts.channels[name], alert)(context)
        except Exception:
            _log.exception("%s could not be told by %s: %s", spec.owner.email, name, text)


def _address(channel: Channel) -> Address:
    from ratchet.incidents import Address

    if channel.connection is None:
        return Address()
    from airflow.sdk import Connection

    found = Connection.get(channel.connection)
    extra = found.extra_dejson
    if channel.kind == "email":
        return Address(
            host=found.host or "",
            port=found.port or _SMTP_PORT,
            login=found.login or "",
            password=found.password or "",
            sender=extra.get("from_email") or found.login or "",
        )
    return Address(url=extra.get("url") or found.password or "")
