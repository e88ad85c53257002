"""The task bodies. Each reads its window from the run, calls one stage, and returns a few facts.

A `RatchetError` is a result that a retry would not change, so it fails the task at once; anything
else (a killed process, a full disk) is retried by Airflow.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ratchet.decision import Decision
from ratchet.errors import BuildError, RatchetError
from ratchet.ledger import Ledger
from ratchet.settings import Settings
from ratchet.spec import Spec, load_spec
from ratchet.window import Window

if TYPE_CHECKING:
    from ratchet.incidents import Alert, Incident
    from ratchet.spec.alerts import Channel
    from ratchet.warehouse import Layer

Facts = dict[str, Any]
AS_OF_MOMENTS = 5  # all of history is computed for each
APPROVE, REFUSE = "Approve", "Refuse"
NOBODY = "nobody"  # who answered when the time ran out


@dataclass(frozen=True)
class Run:
    """What a task body knows: the use case, the window, the folders, and Airflow's context."""

    spec: Spec
    window: Window
    settings: Settings
    context: dict[str, Any]

    @property
    def id(self) -> str:
        """Airflow's id of the DAG run."""
        return str(self.context["run_id"])

    @property
    def stage(self) -> tuple[Spec, Window, Settings]:
        """The arguments that every stage takes first, or last."""
        return self.spec, self.window, self.settings

    def record(self, decision: Decision) -> Decision:
        """Write a decision to the use case's ledger, once."""
        return Ledger(self.settings.lake(self.spec.name).ledger).record(decision)

    def why_blocked(self, *tables: str) -> str | None:
        """Return which test blocks one of the gold tables for the window; None if nothing does."""
        from ratchet.warehouse import why_blocked

        return why_blocked(self.spec, self.window, tables, self.settings)

    def skip_if_blocked(self, *tables: str) -> None:
        """Skip the task if one of the gold tables is blocked for the window; name the test."""
        if reason := self.why_blocked(*tables):
            raise AirflowSkipException(reason)

    def emit(self, asset: Asset, *windows: str, **extra: str) -> None:
        """Mark windows (default: the run's) as partitions of the asset, if the task succeeds."""
        event = self.context["outlet_events"][asset]
        event.add_partitions(list(windows) or [self.window.key])
        event.extra = extra


def window_of(context: dict[str, Any]) -> Window:
    """Return the window of a run: its partition, else its form, else its data interval."""
    run = context["dag_run"]
    key = run.partition_key or (run.conf or {}).get("window")
    if key:
        return Window.parse(key)
    if run.data_interval_start is None:
        raise RatchetError(
            "the run has no window: trigger it with one in the form, "
            "like 2013-03-01T0000--2013-03-08T0000"
        )
    return Window(run.data_interval_start, run.data_interval_end)


def _reported(run: Run, task: str) -> AbstractContextManager[None]:
    """Tell of a task's inputs and outputs, where a target for that is configured."""
    if not run.settings.reports_lineage:
        return nullcontext()
    from ratchet.lineage import reported

    return reported(task, *run.stage, run.id, skips=AirflowSkipException)


def body(function: Callable[..., Facts | str | bool]) -> Callable[..., Facts | str | bool]:
    """Make a task body of a function that takes a `Run`."""

    @wraps(function)
    def execute(use_case: str, **kwargs: Any) -> Facts | str | bool:
        from airflow.sdk import get_current_context

        settings = Settings.load()
        context = dict(get_current_context())
        try:
            spec = load_spec(settings.use_cases / f"{use_case}.yaml")
            run = Run(spec, window_of(context), settings, context)
            with _reported(run, function.__name__):
                return function(run, **kwargs)
        except (RatchetError, ValueError) as error:
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error

    use_case, _ = inspect.signature(execute, follow_wrapped=False).parameters.values()
    _, *own = inspect.signature(function).parameters.values()
    # Airflow reads the signature to know which arguments to pass: without it, all of its context.
    execute.__signature__ = inspect.Signature([use_case, *own])  # type: ignore[attr-defined]
    return execute


@body
def land_feeds(run: Run) -> Facts:
    """Take in what the producers sent for the window; what is wrong with a feed is a finding."""
    from ratchet.feeds import land_window
    from ratchet.quality import Finding, write_findings

    landings = land_window(*run.stage, run.id)
    spec, window, settings = run.stage
    findings = [
        Finding(
            check="landing",
            subject=landing.feed,
            state="found" if faults else "ok",
            rows=landing.rows,
            broken=landing.quarantined,
            text="; ".join(faults) or "All files came, and keep the contract; nothing to do.",
        )
        for landing, faults in landings
    ]
    write_findings(spec, window, "landing", findings, settings)
    return {
        landing.feed: "; ".join(
            [f"{landing.accepted:,} accepted, {landing.quarantined:,} quarantined", *faults]
        )
        for landing, faults in landings
    }


@body
def check_feeds(run: Run) -> Facts:
    """Compare what landed with its past and with itself; what it finds blocks when publishing."""
    from ratchet.quality import check_feeds, check_freshness

    found = [*check_feeds(*run.stage), *check_freshness(*run.stage)]
    return {finding.name: finding.text for finding in found}


def _build(run: Run, layer: Layer) -> Facts:
    from ratchet.warehouse import build

    spec, window, settings = run.stage
    report = build(spec, window, layer, settings, run.id)
    return {"models": report.models, "tests": report.tests, "seconds": round(report.seconds, 2)}


@body
def build_bronze(run: Run) -> Facts:
    """Build and test the window's landed rows."""
    return _build(run, "bronze")


@body
def build_silver(run: Run) -> Facts:
    """Build and test the conformed tables."""
    return _build(run, "silver")


@body
def build_gold(run: Run) -> Facts:
    """Build and test features, outcomes and marts."""
    return _build(run, "gold")


@body
def check_segments(run: Run) -> Facts:
    """Compare every segment with its past and with all others, before anyone may read it."""
    from ratchet.quality import check_segments

    return {finding.name: finding.text for finding in check_segments(*run.stage)}


@body
def publish_gold(run: Run) -> Facts:
    """Give everyone else the tables that nothing blocks; skip if the features are not of them."""
    from ratchet.orchestration.assets import Assets
    from ratchet.warehouse import publish

    publication = publish(*run.stage)
    if publication.blocked:
        raise AirflowSkipException(publication.blocked)
    run.emit(Assets.of(run.spec).gold, *publication.windows)
    return {"published": publication.path.name, "windows": ", ".join(publication.windows)}


@body
def score_window(run: Run) -> Facts:
    """Answer for every decision of the window with the champion of that moment."""
    from ratchet.orchestration.assets import Assets
    from ratchet.serving import score

    run.skip_if_blocked(run.spec.gold.features_table)
    report = score(*run.stage)
    run.emit(Assets.of(run.spec).predictions)
    return {"rows": report.rows, "champion": report.champion or "none yet: the rule decides"}


@body
def observe_window(run: Run) -> Facts:
    """Compare what was decided with what happened, and today's data with the training data.

    What is wrong is grouped by its cause here, once, also where the window's tables are blocked;
    the tasks after this one read it.
    """
    from ratchet.incidents import judge_window, open_incidents
    from ratchet.monitoring import observe, watch

    gold = run.spec.gold
    if reason := run.why_blocked(gold.features_table, gold.outcomes_table):
        open_incidents(*run.stage)
        raise AirflowSkipException(reason)
    observation = observe(*run.stage)
    watch(*run.stage)
    states = Counter[str](finding.state for finding in judge_window(*run.stage))
    open_incidents(*run.stage)
    return {"champion": observation.champion or "none", **states}


@body
def notify_of_blocks(run: Run) -> Facts:
    """Tell owners why the features are blocked; skip if they are not, as monitoring tells then."""
    from ratchet.incidents import open_incidents

    if not run.why_blocked(run.spec.gold.features_table):
        raise AirflowSkipException("the features are not blocked: monitor_champion tells the rest")
    return _notify(run, open_incidents(*run.stage))


@body
def notify_owners(run: Run) -> Facts:
    """Tell owners what is wrong, by its cause; nothing is told twice."""
    from ratchet.incidents import known_incidents

    return _notify(run, known_incidents(*run.stage))


def _notify(run: Run, incidents: list[Incident]) -> Facts:
    from ratchet.incidents import deliver
    from ratchet.orchestration.notifiers import ChannelNotifier

    def send(channel: Channel, alert: Alert) -> None:
        ChannelNotifier(channel, alert)(run.context)

    sent = deliver(run.spec, run.settings, send)
    return {"open": [incident.fingerprint for incident in incidents], "sent": sent}


@body
def roll_back_champion(run: Run) -> Facts:
    """Bring the previous champion back if the new one is worse; skip if there is no cause."""
    from ratchet.retraining import watch_champion

    decision = watch_champion(*run.stage)
    if decision is None:
        raise AirflowSkipException("no new champion is being watched")
    if decision.verdict != "rolled back":
        raise AirflowSkipException("; ".join(decision.reasons))
    return {"champion": decision.subject["previous"], "because": "; ".join(decision.reasons)}


@body
def request_retraining(run: Run) -> Facts:
    """Decide whether to retrain, once; announce what waits, skip if nothing does.

    An announcement that was lost, of this window or of an earlier one, is made again.
    """
    from ratchet.orchestration.assets import Assets
    from ratchet.retraining import decide_once, waiting

    run.skip_if_blocked(run.spec.gold.features_table, run.spec.gold.outcomes_table)
    decision = decide_once(*run.stage)
    requests = waiting(*run.stage)
    if not requests:
        told = "a run has taken it up: " if decision.verdict == "requested" else ""
        raise AirflowSkipException(told + "; ".join(decision.reasons))
    reason = requests[-1].reason
    run.emit(Assets.of(run.spec).retraining, reason=reason)
    return {"reason": reason}


@body
def take_up_request(run: Run) -> str:
    """Take up what asks for this training; skip, with all that follows, if another run has."""
    from ratchet.retraining import take_up, take_up_by_hand

    spec, window, settings = run.stage
    dag_run = run.context["dag_run"]
    if _is_by_hand(dag_run):
        why = str((dag_run.conf or {}).get("reason") or "no reason given")
        person = dag_run.triggering_user_name or "a person"
        return take_up_by_hand(spec, window, settings, run.id, person, why)
    if reason := take_up(spec, window, settings, run.id):
        return reason
    raise AirflowSkipException("no request waits: another run has taken it up")


@body
def take_snapshot(run: Run) -> str:
    """Freeze the rows whose labels had matured by the window's end."""
    from ratchet.warehouse import take_snapshot

    run.skip_if_blocked(run.spec.gold.features_table, run.spec.gold.outcomes_table)
    return str(take_snapshot(*run.stage).id)


@body
def check_snapshot(run: Run, snapshot_id: str) -> bool:
    """Let nothing be trained on a snapshot that knows what it can't know: skip what follows."""
    from ratchet.quality import check_snapshot, judge_snapshot

    spec, window, settings = run.stage
    findings = check_snapshot(spec, window, snapshot_id, settings)
    decision = run.record(judge_snapshot(findings, spec, window, snapshot_id))
    return decision.verdict == "accepted"


@body
def check_as_of(run: Run) -> Facts:
    """Rebuild a sample of decisions from what was known then; fail if any comes out another.

    A failed task is for people to see; what blocks the training is the finding that it leaves.
    """
    from ratchet.quality import check_as_of

    findings = check_as_of(*run.stage, AS_OF_MOMENTS)
    quality = run.spec.quality
    if faults := [f.text for f in findings if f.is_fault and quality.blocks(f.check, f.name)]:
        raise BuildError("\n".join(faults))
    return {"decisions": findings[0].rows}


@body
def train_candidate(run: Run, estimator: str, snapshot_id: str) -> Facts:
    """Fit one estimator."""
    from ratchet.training import train

    spec, window, settings = run.stage
    candidate = train(spec, window, snapshot_id, estimator, settings)
    return {"estimator": estimator, "rows": candidate.train_rows}


@body
def evaluate_candidates(run: Run, snapshot_id: str) -> str:
    """Compare candidates, baselines and champion on the same later rows; register the best."""
    from ratchet.evaluation import evaluate
    from ratchet.registry import register

    spec, window, settings = run.stage
    evaluate(spec, window, snapshot_id, settings)
    return str(register(spec, window, settings, _trigger(run)))


def _trigger(run: Run) -> str:
    """Why the training was started: the reason that it took up, new data, or a person."""
    from ratchet.retraining import trainings

    for training in trainings(run.spec, run.settings):
        if training.run == run.id:
            return training.reason
    return "by hand" if _is_by_hand(run.context["dag_run"]) else "new data"


def _is_by_hand(dag_run: Any) -> bool:
    return bool(dag_run.run_type == "manual")  # an enum of strings, whose text is not its value


@body
def judge_candidate(run: Run, version: str) -> str:
    """Pass the gate, or be refused: what follows is skipped then. Return the evidence pack.

    What is judged is the evidence that went into the release, whatever was measured since.
    """
    from ratchet.evaluation import Evidence, judge
    from ratchet.registry import RELEASED_EVIDENCE_FILE, load_release, refuse

    spec, _, settings = run.stage
    release = load_release(spec, version, settings)
    evidence = Evidence.model_validate_json(release.read(RELEASED_EVIDENCE_FILE))
    decision = run.record(judge(evidence, spec))
    if decision.verdict != "accepted":
        refuse(*run.stage, version)
        _write_card(run, version)
        return ""
    if not spec.needs_approval:
        return version
    from ratchet.reporting import evidence_pack

    return evidence_pack(release, decision, settings)


@body
def promote_champion(run: Run, version: str, answer: dict[str, Any] | None = None) -> Facts:
    """Make the accepted candidate the champion, fitted again where the spec asks for that.

    Skip if a person refused it, or nobody answered.
    """
    from ratchet.orchestration.assets import Assets
    from ratchet.orchestration.notifiers import tell_owner
    from ratchet.registry import promote, refit, refuse

    if run.spec.needs_approval:
        approval = _approval(run, version, answer or {})
        if approval.author == NOBODY:
            tell_owner(run.spec, run.record(_escalation(run, version)), run.context)
        if run.record(approval).verdict != "approved":
            refuse(*run.stage, version)
            _write_card(run, version)
            raise AirflowSkipException("; ".join(approval.reasons))
    if run.spec.training.refit:
        version = refit(*run.stage, version)
    promote(*run.stage, version)
    _write_card(run, version)
    run.emit(Assets.of(run.spec).champion, version=version)
    return {"champion": version}


def _write_card(run: Run, version: str) -> None:
    """Write the model card anew, as something was decided on the version."""
    from ratchet.registry import log_card
    from ratchet.reporting import write_card

    spec, _, settings = run.stage
    log_card(spec, version, write_card(spec, version, settings), settings)


def _approval(run: Run, version: str, answer: dict[str, Any]) -> Decision:
    """Return what a person decided. No answer refuses, and so does that of one who may not."""
    from ratchet.decision import Clause

    chosen = next(iter(answer.get("chosen_options") or []), REFUSE)
    user = answer.get("responded_by_user")
    author = str(user["name"]) if user else NOBODY
    reason = (answer.get("params_input") or {}).get("reason") or "no reason given"
    may = run.spec.gate.approval.approvers if run.spec.gate.approval else ()
    clauses = (
        Clause(
            name="person_approves",
            passed=chosen == APPROVE and user is not None,
            observed=chosen,
            required=APPROVE,
            text=f"{author} answered {chosen!r}: {reason}"
            if user
            else f"Nobody answered in time about version {version}; silence refuses.",
        ),
        Clause(
            name="person_may_approve",
            passed=not may or (user is not None and user["id"] in may),
            observed=str(user["id"]) if user else NOBODY,
            required=", ".join(may) or "anybody",
            text=f"Who may answer: {', '.join(may) or 'anybody who may in Airflow'}.",
        ),
    )
    return Decision(
        kind="approval",
        use_case=run.spec.name,
        window=run.window.key,
        verdict="approved" if all(clause.passed for clause in clauses) else "refused",
        clauses=clauses,
        subject={"version": version},
        author=author,
    )


def _escalation(run: Run, version: str) -> Decision:
    """Return the ticket for the owner, who is told that nobody answered."""
    from ratchet.decision import Clause

    owner = run.spec.owner
    approval = run.spec.gate.approval
    hours = approval.answer_within_h if approval else 0
    clause = Clause(
        name="answered_in_time",
        passed=False,
        observed="no answer",
        required=f"within {hours:g} h",
        text=f"Nobody answered within {hours:g} h whether version {version} may become champion. "
        f"It is refused; {owner.name} <{owner.email}> is to see why, and train again if it is "
        "still wanted.",
    )
    return Decision(
        kind="escalation",
        use_case=run.spec.name,
        window=run.window.key,
        verdict="escalated",
        clauses=(clause,),
        subject={"version": version},
    )


@body
def drill_rollback(run: Run) -> Facts:
    """Roll back in a copy; fail if the previous unit does not come back as it was."""
    from ratchet.errors import ReleaseError
    from ratchet.registry import drill, has_previous

    spec, _, settings = run.stage
    if not has_previous(spec, settings):
        raise AirflowSkipException("there is no previous version to go back to yet")
    decision = drill(spec, settings, run.id)
    if decision.verdict != "passed":
        raise ReleaseError("\n".join(decision.reasons))
    return {**decision.subject, **decision.evidence}
