"""Where everything came from, and where it went: columns, rows, files, models, predictions."""

from ratchet.lineage.graph import Graph, column_lineage, feature_sources, load_graph

__all__ = ["Graph", "column_lineage", "feature_sources", "load_graph"]
