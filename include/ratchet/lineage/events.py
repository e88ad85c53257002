"""OpenLineage events, where somebody has named a target for them. Nothing is sent otherwise.

The target is what the OpenLineage client reads: `OPENLINEAGE_URL`, `OPENLINEAGE__TRANSPORT__…`, or
an `openlineage.yml`. A job is a task of a use case (`flights.build_gold`), a run is one of its
runs, and a dataset a table, a feed, or a kind of file (`snapshots`), all in namespace
`ratchet://<use case>`.
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ratchet.lineage.graph import Graph, Leaf, load_graph
from ratchet.lineage.sql import ROWS
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

_PATIENCE_S = 3.0  # that a task waits for its target at its end: events are not worth more
_PRODUCER = "https://github.com/ratchet"
_LOG = logging.getLogger(__name__)

Send = Callable[[Any], None]


@contextmanager
def reported(
    task: str,
    spec: Spec,
    window: Window,
    settings: Settings,
    run_id: str,
    skips: type[BaseException],
) -> Iterator[None]:
    """Send START before and COMPLETE or FAIL after a task's work, with what it reads and writes.

    A target that fails, or is slow, costs the task a few seconds at most, and a warning in its log.

    Parameters
    ----------
    task
        Name of the task: `build_gold`.
    run_id
        Of the scheduler's run, which with the task names the event's run.
    skips
        What the work raises if there was nothing to do: no failure.
    """
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    sender = threading.Thread(target=_send_all, args=(events,), daemon=True)
    sender.start()

    def put(kind: str, error: BaseException | None = None) -> None:
        try:
            graph = load_graph(spec, settings) if kind == "COMPLETE" else None
            events.put(_event(kind, task, spec, window, run_id, graph, error))
        except Exception:
            _LOG.warning("no lineage of %s.%s: it can't be told", spec.name, task, exc_info=True)

    put("START")
    try:
        yield
        put("COMPLETE")
    except skips:
        put("COMPLETE")
        raise
    except BaseException as error:
        put("FAIL", error)
        raise
    finally:
        events.put(None)
        sender.join(_PATIENCE_S)
        if sender.is_alive():
            _LOG.warning("the lineage target is slow: %s.%s goes on without it", spec.name, task)


def _send_all(events: queue.SimpleQueue[Any]) -> None:
    try:
        from openlineage.client import OpenLineageClient

        client = OpenLineageClient()
        while (event := events.get()) is not None:
            client.emit(event)
        client.close(_PATIENCE_S)
    except Exception as error:
        _LOG.warning("the lineage target took no event: %s", error)


def _event(
    kind: str,
    task: str,
    spec: Spec,
    window: Window,
    run_id: str,
    graph: Graph | None,
    error: BaseException | None,
) -> Any:
    from openlineage.client import event_v2 as ol
    from openlineage.client.facet_v2 import error_message_run, nominal_time_run

    namespace = f"ratchet://{spec.name}"
    facets: dict[str, Any] = {
        "nominalTime": nominal_time_run.NominalTimeRunFacet(
            window.start.isoformat(), window.end.isoformat()
        )
    }
    if error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            f"{type(error).__name__}: {error}", "python"
        )
    inputs, outputs = datasets(task, spec, graph)
    return ol.RunEvent(
        eventTime=datetime.now(UTC).isoformat(),
        producer=_PRODUCER,
        eventType=getattr(ol.RunState, kind),
        run=ol.Run(str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{run_id}/{task}")), facets),
        job=ol.Job("ratchet", f"{spec.name}.{task}"),
        inputs=[ol.InputDataset(namespace, name) for name in inputs],
        outputs=[
            ol.OutputDataset(namespace, name, facets=_table_facets(namespace, name, graph))
            for name in outputs
        ],
    )


def datasets(task: str, spec: Spec, graph: Graph | None) -> tuple[list[str], list[str]]:
    """Return what a task reads and writes; of a layer's tables only where the graph is known."""
    gold = [f"gold.{table}" for table in (spec.gold.features_table, spec.gold.outcomes_table)]
    feeds = [f"feeds.{feed}" for feed in spec.feeds]
    known: dict[str, tuple[list[str], list[str]]] = {
        "land_feeds": ([f"inbox/{feed}" for feed in spec.feeds], feeds),
        "publish_gold": (gold, [f"published/{table}" for table in gold]),
        "take_snapshot": ([f"published/{table}" for table in gold], ["snapshots"]),
        "train_candidate": (["snapshots"], ["candidates"]),
        "evaluate_candidates": (["snapshots", "candidates"], ["releases"]),
        "judge_candidate": (["releases"], []),
        "promote_champion": (["releases"], ["champion"]),
        "score_window": ([f"published/{gold[0]}", "champion"], ["gold.fct_predictions"]),
        "observe_window": (["gold.fct_predictions", f"published/{gold[1]}"], ["monitoring"]),
    }
    layer = task.removeprefix("build_")
    if layer == task or graph is None:
        return known.get(task, ([], []))
    made = [table for table in graph.models if table.startswith(f"{layer}.")]
    read = {parent for table in made for parent in graph.models[table].parents}
    return sorted(read - set(made)), made


def _table_facets(namespace: str, table: str, graph: Graph | None) -> dict[str, Any]:
    """Return a model's columns, and where each comes from, one step back."""
    from openlineage.client.facet_v2 import column_lineage_dataset as lineage
    from openlineage.client.facet_v2 import schema_dataset

    model = graph.models.get(table) if graph else None
    if model is None or not model.columns:
        return {}

    def inputs(leaves: frozenset[Leaf], kind: str) -> list[Any]:
        how = [lineage.Transformation(kind)]
        columns = sorted(leaf for leaf in leaves if leaf[1] != ROWS)
        return [lineage.InputField(namespace, name, column, how) for name, column in columns]

    fields = {
        name: lineage.Fields(
            inputs(column.values, "DIRECT") + inputs(column.conditions - column.values, "INDIRECT")
        )
        for name, column in model.columns.items()
    }
    return {
        "schema": schema_dataset.SchemaDatasetFacet(
            [schema_dataset.SchemaDatasetFacetFields(name) for name in model.columns]
        ),
        "columnLineage": lineage.ColumnLineageDatasetFacet(fields),
    }
