"""Turns a spec into the DAGs of its level.

A level adds automation and obligations, never another pipeline: the tasks are the same at every
level, and only what starts a DAG, whether a person must approve, and whether monitoring may act,
depend on it.

=================  ===========  ===========  ===========================
DAG                level 0      level 1      level 2
=================  ===========  ===========  ===========================
refine_data        by hand      each window  each window
score_window       by hand      new gold     new gold
monitor_champion   by hand      new scores   new scores, may ask to retrain
                                             or bring the champion before back
train_candidate    by hand, a   new gold     a request to retrain
                   person
                   approves, as
                   at any level
                   if the spec
                   asks for it
check_as_of        –            –            each month
drill_rollback     –            –            each month
=================  ===========  ===========  ===========================
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from inspect import cleandoc
from pathlib import Path
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    CronDataIntervalTimetable,
    Param,
    PartitionedAssetTimetable,
    task,
)

from ratchet.errors import SpecError
from ratchet.orchestration import tasks
from ratchet.orchestration.assets import Assets
from ratchet.orchestration.deadlines import refined_in_time
from ratchet.orchestration.pools import warehouse_pool
from ratchet.spec import Spec, load_spec

AS_OF_CRON = "0 6 1 * *"  # monthly: SQL changes rarely, and each check costs several builds
DRILL_CRON = "0 7 1 * *"  # monthly: what a drill finds broken must not wait for an emergency
RETRY_DELAY = timedelta(seconds=5)  # what is retried is a killed process or a busy machine

_WINDOW_FORM = {
    "window": Param(
        None,
        type=["null", "string"],
        title="Window",
        description="[start, end) in UTC, like 2013-03-01T0000--2013-03-08T0000",
        pattern=r"^\d{4}-\d\d-\d\dT\d{4}--\d{4}-\d\d-\d\dT\d{4}$",
    )
}


_TRAINING_FORM = {
    **_WINDOW_FORM,
    "reason": Param("", type="string", title="Reason", description="Why now: for the ledger."),
}


def build_dags(folder: Path) -> dict[str, DAG]:
    """Turn every spec of a folder into its DAGs; a wrong spec takes nothing else with it.

    Parameters
    ----------
    folder
        Where the specs lie, one `<use case>.yaml` each.

    Returns
    -------
    DAGs by id. Specs that are wrong are left out.
    """
    dags: dict[str, DAG] = {}
    with _nothing_collected():
        for path in sorted(folder.glob("*.yaml")):
            with suppress(SpecError):
                dags |= {dag.dag_id: dag for dag in dags_of(load_spec(path))}
    return dags


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Spare a fifth of the time: what parsing makes stays, and looking for garbage finds none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def dags_of(spec: Spec) -> list[DAG]:
    """Build the DAGs of one use case."""
    assets = Assets.of(spec)
    automatic = spec.level > 0
    dags = [
        _refine_data(spec, assets),
        _score_window(spec, assets, assets.gold if automatic else None),
        _monitor_champion(spec, assets, assets.predictions if automatic else None),
        _train_candidate(spec, assets, (None, assets.gold, assets.retraining)[spec.level]),
    ]
    return [*dags, _check_as_of(spec), _drill_rollback(spec)] if spec.level == 2 else dags


def _dag(
    spec: Spec,
    verb_object: str,
    doc: str,
    schedule: Any,
    form: dict[str, Param] = _WINDOW_FORM,
    **kwargs: Any,
) -> DAG:
    return DAG(
        dag_id=f"{spec.name}__{verb_object}",
        description=cleandoc(doc).splitlines()[0].removeprefix("**Purpose** "),
        doc_md=f"# {spec.title}\n\n{cleandoc(doc)}\n\n---\n\n{spec.description}",
        schedule=schedule,
        tags={spec.name, f"level-{spec.level}", *spec.tags},
        max_active_runs=1,
        default_args={
            "owner": spec.owner.name,
            "retries": 2,
            "retry_delay": RETRY_DELAY,
        },
        params=form,
        **kwargs,
    )


def _after(asset: Asset | None) -> PartitionedAssetTimetable | None:
    return PartitionedAssetTimetable(assets=asset) if asset else None


def _task(function: Callable[..., Any], **kwargs: Any) -> Any:
    return task(task_id=function.__name__, **kwargs)(function)


def _refine_data(spec: Spec, assets: Assets) -> DAG:
    """**Purpose** Take in a window's raw files and refine them to tested gold tables.

    **Reads** the producers' inbox.
    **Writes** the lake's landing zone, the warehouse, and its published copy; where the features
    are blocked, incidents too, and tells their owners.
    **Runs when, and why then** at the end of each window, as all its files are there by then; by
    hand at level 0.
    **Safe to re-run because** each layer replaces exactly the rows of the window, and what is
    published is swapped in as a whole.
    **If it fails** the log names the file or the model. Bad rows are in quarantine, nothing of
    the window has been published, and everyone still reads the tables of the last good window.
    A skipped `publish_gold` is no failure: a test or a finding blocks the features, all other
    tables have been published, and `ratchet blocks` says what to look at.
    """
    schedule = spec.schedule
    with _dag(
        spec,
        "refine_data",
        _refine_data.__doc__ or "",
        CronDataIntervalTimetable(schedule.cron, timezone="UTC") if spec.level > 0 else None,
        start_date=schedule.history_start,
        end_date=schedule.end and schedule.end - timedelta(minutes=1),
        catchup=False,
        deadline=refined_in_time(spec) if spec.level > 0 else None,
    ) as dag:
        name, pool = spec.name, warehouse_pool(spec)
        land = _task(tasks.land_feeds)(name)
        bronze = _task(tasks.build_bronze, pool=pool)(name)
        silver = _task(tasks.build_silver, pool=pool)(name)
        gold = _task(tasks.build_gold, pool=pool)(name)
        publish = _task(tasks.publish_gold, pool=pool, outlets=[assets.gold])(name)
        check = _task(tasks.check_feeds)(name)
        segments = _task(tasks.check_segments, pool=pool)(name)
        land >> bronze >> silver >> gold >> segments >> publish
        land >> check >> publish  # beside the builds: what it finds blocks what is published
        # what blocks the features also keeps the window from being monitored, which tells the rest
        publish >> _task(tasks.notify_of_blocks, trigger_rule="none_failed")(name)
    return dag


def _score_window(spec: Spec, assets: Assets, after: Asset | None) -> DAG:
    """**Purpose** Answer for every decision of the window with the champion of that moment.

    **Reads** published gold features, and the champion's release from the registry.
    **Writes** one file of predictions, with version, threshold and decision.
    **Runs when, and why then** when the window's gold tables have been published; by hand at
    level 0.
    **Safe to re-run because** the champion is the one that was in force when the window began,
    whenever the run takes place, and the file is replaced as a whole.
    **If it fails** there are no predictions for the window; earlier ones stay. Skipped means: the
    features are blocked, see `ratchet blocks`.
    """
    with _dag(spec, "score_window", _score_window.__doc__ or "", _after(after)) as dag:
        _task(tasks.score_window, outlets=[assets.predictions])(spec.name)
    return dag


def _monitor_champion(spec: Spec, assets: Assets, after: Asset | None) -> DAG:
    """**Purpose** Compare what was decided with what happened, tell owners, at level 2 act on it.

    **Reads** predictions, outcomes that have matured, and the champion's training profile.
    **Writes** realised cost and quality by cohort, signals, findings, incidents and what is told of
    them; at level 2 two decisions to the ledger: whether a new champion stays or the one before
    comes back, and whether to retrain, with all reasons.
    **Runs when, and why then** when the window has been scored; by hand at level 0.
    **Safe to re-run because** its files are replaced as a whole, a decision is recorded once and
    stands, and a message that went out has a receipt. A request whose announcement was lost is
    announced again by the next run.
    **If it fails** nothing is decided, and the champion stays. A failed `notify_owners` means: not
    all messages went out; the log names the channel, and the next run sends what is left.
    A skipped `roll_back_champion` means: there is no new champion, or nothing is wrong with it. A
    skipped `request_retraining` means: not retrained, and the ledger says because of what.
    """
    with _dag(spec, "monitor_champion", _monitor_champion.__doc__ or "", _after(after)) as dag:
        observe = _task(tasks.observe_window)(spec.name)
        # what blocks the outcomes skips the observation, and is told all the same
        observe >> _task(tasks.notify_owners, trigger_rule="none_failed")(spec.name)
        if spec.level == 2:
            bake = _task(tasks.roll_back_champion)(spec.name)
            request = _task(
                tasks.request_retraining, outlets=[assets.retraining], trigger_rule="none_failed"
            )(spec.name)  # mostly there is no new champion, or nothing wrong with it
            observe >> bake >> request
    return dag


def _train_candidate(spec: Spec, assets: Assets, after: Asset | None) -> DAG:
    """**Purpose** Train candidates, and make the best one champion if it passes the gate.

    **Reads** published gold features and the outcomes that had matured by the window's end.
    **Writes** a snapshot, releases in the registry, and the gate's decision to the ledger.
    **Runs when, and why then** by hand at level 0; on new gold data at level 1; when monitoring
    asks for it at level 2, or a person does.
    **Safe to re-run because** a request is taken up by one run, the snapshot is named by its
    content, and a candidate of the same window and snapshot is registered once.
    **If it fails** the champion stays, and no other training starts before this one ends or is
    given up. A skipped task is no failure: another run has taken up the request, the snapshot was
    blocked, as a feature may know what it can't know, or the candidate was refused. The reasons
    are in the ledger.
    """
    doc = _train_candidate.__doc__ or ""
    with _dag(spec, "train_candidate", doc, _after(after), _TRAINING_FORM) as dag:
        name = spec.name
        snapshot_id = _task(tasks.take_snapshot)(name)
        if spec.level == 2:
            _task(tasks.take_up_request)(name) >> snapshot_id
        checked = task.short_circuit(task_id="check_snapshot")(tasks.check_snapshot)(
            name, snapshot_id=snapshot_id
        )
        fits = _fits(spec)
        trained = (
            _task(
                tasks.train_candidate,
                map_index_template="{{ task.op_kwargs['estimator'] }}",
                **fits,
            )
            .partial(use_case=name, snapshot_id=snapshot_id)
            .expand(estimator=list(spec.training.estimators))
        )
        version = _task(tasks.evaluate_candidates)(name, snapshot_id=snapshot_id)
        pack = task.short_circuit(task_id="judge_candidate")(tasks.judge_candidate)(
            name, version=version
        )
        placed = fits if spec.training.refit else {}
        promote = _task(tasks.promote_champion, outlets=[assets.champion], **placed)
        checked >> trained >> version
        if spec.needs_approval:
            approve_candidate = _approve_candidate(spec)
            pack >> approve_candidate
            promote(name, version=version, answer=approve_candidate.output)
        else:
            pack >> promote(name, version=version)
    return dag


def _fits(spec: Spec) -> dict[str, Any]:
    """Return where a task that fits a model waits for its cores."""
    resources = spec.training.resources
    return {"pool": resources.pool, "pool_slots": resources.cores} if resources.pool else {}


def _approve_candidate(spec: Spec) -> Any:
    from airflow.providers.standard.operators.hitl import HITLOperator
    from airflow.sdk.execution_time.hitl import HITLUser

    approval = spec.gate.approval
    approvers = [HITLUser(id=user, name=user) for user in approval.approvers] if approval else None
    return HITLOperator(
        task_id="approve_candidate",
        subject=f"Make this candidate the champion of {spec.name}?",
        body="{{ ti.xcom_pull(task_ids='judge_candidate') }}",
        options=[tasks.APPROVE, tasks.REFUSE],
        defaults=tasks.REFUSE if approval else None,
        params={"reason": Param("", type="string", description="For the ledger.")},
        assigned_users=approvers or None,
        response_timeout=timedelta(hours=approval.answer_within_h) if approval else None,
    )


def _check_as_of(spec: Spec) -> DAG:
    """**Purpose** Make sure that features follow from what was known when they were used.

    **Reads** published bronze and gold.
    **Writes** findings, and nothing else: it builds in a scratch warehouse.
    **Runs when, and why then** at the beginning of a month, for the decisions of the last one, as
    it costs several builds; by hand after the SQL was changed. At level 2 only.
    **Safe to re-run because** the same sample gives the same findings.
    **If it fails** the log names the features that rested on the future. They block the training
    until their SQL is mended and the same window, or a later one, comes out right; or until someone
    accepts them in the spec.
    """
    with _dag(
        spec,
        "check_as_of",
        _check_as_of.__doc__ or "",
        CronDataIntervalTimetable(AS_OF_CRON, timezone="UTC"),
        start_date=spec.schedule.start,
        end_date=spec.schedule.end and spec.schedule.end - timedelta(minutes=1),
        catchup=False,
    ) as dag:
        _task(tasks.check_as_of)(spec.name)
    return dag


def _drill_rollback(spec: Spec) -> DAG:
    """**Purpose** Make sure that the previous champion can come back, before it has to.

    **Reads** the ledger, the releases, and the snapshot that the previous champion was trained on.
    **Writes** how it went, and how long it took, to the ledger; it rolls back in a copy.
    **Runs when, and why then** at the beginning of a month, as files are lost and changed without
    anybody noticing; by hand after storage was moved or restored. At level 2 only.
    **Safe to re-run because** neither champion nor registry is touched, and a run is recorded once.
    **If it fails** the log says what is missing or changed: restore it from a backup, or train
    again. Until then a rollback would be refused. Skipped means: there is no previous champion yet.
    """
    with _dag(
        spec,
        "drill_rollback",
        _drill_rollback.__doc__ or "",
        CronDataIntervalTimetable(DRILL_CRON, timezone="UTC"),
        start_date=spec.schedule.start,
        end_date=spec.schedule.end and spec.schedule.end - timedelta(minutes=1),
        catchup=False,
    ) as dag:
        _task(tasks.drill_rollback)(spec.name)
    return dag
