"""Where everything came from, and where it went: columns, rows, files, models, predictions."""

from ratchet.lineage.catalogue import write_catalogue
from ratchet.lineage.events import reported
from ratchet.lineage.graph import (
    Graph,
    column_lineage,
    feature_sources,
    known_sources,
    load_graph,
    refuse_restricted_features,
)
from ratchet.lineage.trace import BackwardTrace, ForwardTrace, trace_file, trace_prediction
from ratchet.lineage.wording import backward_text, forward_text

__all__ = [
    "BackwardTrace",
    "ForwardTrace",
    "Graph",
    "backward_text",
    "column_lineage",
    "feature_sources",
    "forward_text",
    "known_sources",
    "load_graph",
    "refuse_restricted_features",
    "reported",
    "trace_file",
    "trace_prediction",
    "write_catalogue",
]
