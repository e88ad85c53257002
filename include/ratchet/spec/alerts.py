"""When a measured departure is a finding, how much it matters, and who is told in which way."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ratchet.spec.costs import Model, Name, Share
from ratchet.spec.owner import Owner

Severity = Literal["page", "ticket", "digest"]


class Persistence(Model):
    """In how many of the last windows a departure must be seen, the newest included."""

    windows: int = Field(ge=1, description="Seen in so many windows.")
    of: int = Field(ge=1, description="Of so many, counted back from the newest.")

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.windows > self.of:
            raise ValueError("asks for more windows than it looks at; raise of")
        return self


_AT_ONCE = Persistence(windows=1, of=1)
_LASTING = Persistence(windows=2, of=3)


class Persistences(Model):
    """How long a departure must last, by family. At once where waiting costs more than an error."""

    feature_drift: Persistence = Field(default=_LASTING, description="A feature's values.")
    prediction_drift: Persistence = Field(default=_LASTING, description="The model's answers.")
    label_drift: Persistence = Field(default=_LASTING, description="What turned out.")
    missingness: Persistence = Field(default=_LASTING, description="Missing values.")
    multivariate_drift: Persistence = Field(default=_LASTING, description="All features together.")
    performance: Persistence = Field(default=_AT_ONCE, description="Realised performance.")
    estimate: Persistence = Field(
        default=_AT_ONCE, description="Estimated performance, and its gap to the realised one."
    )
    kpi: Persistence = Field(default=_AT_ONCE, description="Business figures and guardrails.")
    service: Persistence = Field(default=_AT_ONCE, description="The service itself.")


class Owners(Model):
    """Who is told, where it is not the use case's owner, or the owner of the feed or the KPI."""

    concept: Owner | None = Field(default=None, description="The model no longer fits.")
    drift: Owner | None = Field(default=None, description="Data moved, and is no fault.")
    service: Owner | None = Field(default=None, description="The service is slow, wrong or down.")


class Channel(Model):
    """One way to tell people. What is secret lies in an Airflow connection, never here."""

    kind: Literal["log", "email", "webhook", "slack"] = Field(
        description="log: the task's log. email: by SMTP, to the owner's address. webhook: JSON by "
        "POST. slack: the same in the form of Slack's incoming webhooks."
    )
    connection: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        description="Id of the Airflow connection with host, port, login and password, or with "
        "the URL; the environment may hold it as AIRFLOW_CONN_<ID>. Not for log.",
    )

    @model_validator(mode="after")
    def _knows_where(self) -> Self:
        if (self.kind == "log") != (self.connection is None):
            raise ValueError(
                f"{self.kind} needs {'no' if self.kind == 'log' else 'a'} connection; "
                f"{'remove it' if self.kind == 'log' else 'name one'}"
            )
        return self


class Routes(Model):
    """By which channels each kind of alert goes out."""

    page: tuple[Name, ...] = Field(
        default=("log",), min_length=1, description="Wakes somebody: decisions are affected."
    )
    ticket: tuple[Name, ...] = Field(
        default=("log",), min_length=1, description="Somebody looks on a working day."
    )
    digest: tuple[Name, ...] = Field(
        default=("log",), min_length=1, description="Once a week, all else in one message."
    )


class Alerts(Model):
    """From what is measured to what somebody is told."""

    false_discovery_rate: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="Share of false ones among all departures of a family in a window that are "
        "taken for significant, at most.",
    )
    persistence: Persistences = Field(default=Persistences())
    resolve_after_windows: int = Field(
        default=2, ge=1, description="Windows in a row without it, and an incident has recovered."
    )
    reopen_within_days: float = Field(
        default=7, ge=0, description="What comes back so soon is the same incident."
    )
    page_cost_per_window: float | None = Field(
        default=None,
        gt=0,
        description="Cost above what was expected, realised or estimated, of all decisions of a "
        "window, from which somebody is woken. Leave out where no cost is worth that.",
    )
    page_rules: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=("service.errors", "kpi.guardrail"),
        description="Rules whose findings wake somebody, as <family>.<rule>; * stands for any text."
        " What keeps the model from deciding does so in any case.",
    )
    owners: Owners = Field(default=Owners())
    channels: dict[Name, Channel] = Field(
        default={"log": Channel(kind="log")}, description="Ways to tell people, by name."
    )
    routes: Routes = Field(default=Routes())
    budget_per_week: int = Field(
        default=5,
        ge=1,
        description="Tickets that one owner gets in a week; what is over goes to the digest. Pages "
        "are never held back.",
    )
    min_precision: Share = Field(
        default=0.5,
        description="Share of a rule's marked incidents that were useful. With less, the rule is "
        "demoted: page to ticket, ticket to digest.",
    )
    min_marked: int = Field(
        default=4, ge=1, description="Marks of a rule's incidents before it can be demoted."
    )
