"""What dbt makes of a use case's models, without building any."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.warehouse import control
from ratchet.warehouse.invocation import compile_models
from ratchet.window import Window

LAKE = "{lake}"


def compile_project(spec: Spec) -> dict[str, Any]:
    """Compile the models of a use case against an empty warehouse of its own.

    Returns
    -------
    dict
        dbt's manifest, as its JSON has it. The same SQL compiles to the same text on any machine:
        where it names the lake's folder, the text says `{lake}`.

    Raises
    ------
    BuildError
        If the project does not parse, or a model does not compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(Path(folder), Path(folder))
        lake = settings.lake(spec.name)
        first = Window(spec.schedule.history_start, spec.schedule.start)
        control.begin(spec, first, settings, "compile")
        target = Path(folder) / "target"
        compile_models(f"path:models/*/{spec.name}", lake.warehouse, target)
        text = (target / "manifest.json").read_text()
    manifest: dict[str, Any] = json.loads(text.replace(str(lake.root), LAKE))
    return manifest
