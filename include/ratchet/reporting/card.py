"""The model card and dossier of a release: what it is for, what it was made of, how good it is.

It is made of what lies in the release, the landing and the ledger, and says of everything else
that it was not measured or not answered. The same release and ledger give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ratchet.decision import Decision
from ratchet.explanations import Explanations, told_once
from ratchet.feeds import earlier_landings
from ratchet.ledger import Ledger
from ratchet.registry import Release, load_release
from ratchet.reporting.annex import annex_rows
from ratchet.reporting.charts import bar_chart, reliability_chart
from ratchet.reporting.wording import KIND_LABELS, cell, compared, cost_lines, why
from ratchet.settings import Settings
from ratchet.spec import Spec, restricted_columns
from ratchet.storage import write_atomic
from ratchet.training import MODEL_FILE, TIMING_FILE
from ratchet.window import Window

NOT_MEASURED = "Not measured"
_MOST = 15  # of the worst slices, and of the features that matter most: more are not read
_WIDTH = 22  # characters beside a bar
Row = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A part of the card: sentences, a list, a table; and a chart that only the page shows."""

    title: str
    lines: Row = ()
    items: Row = ()
    header: Row = ()
    rows: tuple[Row, ...] = ()
    chart: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether it says that there is nothing to say."""
        return any(line.startswith(("Not measured", "Not answered")) for line in self.lines)


@dataclass(frozen=True)
class _Source:
    """What a card is made of. Evidence is read as it stands, of whatever version it is."""

    spec: Spec
    release: Release
    evidence: dict[str, Any]
    explanations: Explanations | None
    decisions: tuple[Decision, ...]
    settings: Settings

    @property
    def best(self) -> dict[str, Any]:
        """What was measured of the candidate that was released."""
        found: dict[str, Any] = self.evidence["candidates"][self.evidence["best"]]
        return found

    @property
    def examination(self) -> dict[str, Any]:
        """What was measured of it alone; nothing in releases of before."""
        return self.evidence.get("examination") or {}

    @property
    def per_unit(self) -> str:
        return f"{self.spec.costs.unit} per {self.spec.gold.unit}"


def write_card(spec: Spec, version: str, settings: Settings) -> tuple[Path, Path]:
    """Write a release's card as a page and as Markdown; return both paths.

    Raises
    ------
    ReleaseError
        If there is no such release, or it is not intact.
    LedgerError
        If the ledger's chain is broken.
    """
    release = load_release(spec, version, settings)
    sections = list(_sections(_source(release, settings)))
    title = f"{spec.title}: version {version}"
    lead = (
        f"Model card and dossier of {spec.name} {version}, made by Ratchet from the release, the "
        "landed data and the ledger. What nobody has measured or answered, it says."
    )
    folder = settings.home / "reports" / spec.name
    page, text = folder / f"card-{version}.html", folder / f"card-{version}.md"
    environment = Environment(
        loader=PackageLoader("ratchet.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("card.html")
    html = template.render(title=title, lead=lead, sections=sections, name=spec.name)
    write_atomic(page, html.encode())
    parts = (f"# {title}", lead, *map(_markdown, sections))
    write_atomic(text, ("\n\n".join(parts) + "\n").encode())
    return page, text


def _source(release: Release, settings: Settings) -> _Source:
    judged = release.candidate.judged
    models = {release.manifest.files[MODEL_FILE], *([judged.model_sha256] if judged else ())}
    versions = {release.version, release.manifest.judged}
    decisions = tuple(
        decision
        for decision in Ledger(settings.lake(release.spec.name).ledger).decisions()
        if decision.subject.get("model") in models
        or versions & {decision.subject.get("version", "none"), *decision.taken_out}
    )
    return _Source(
        release.spec,
        release,
        json.loads(release.read("evidence.json")),
        release.explanations,
        decisions,
        settings,
    )


def _sections(of: _Source) -> Iterator[Section]:
    found = [
        _purpose(of),
        _use("Intended use", of.spec.card.intended_use if of.spec.card else ()),
        _use("Excluded use", of.spec.card.excluded_use if of.spec.card else ()),
        _costs(of),
        _model(of),
        _search(of),
        _data(of),
        _features(of),
        _use("Known limits", of.spec.card.limits if of.spec.card else ()),
        _restricted(of),
        _quality(of),
        _differences(of),
        _calibration(of),
        _slices(of),
        _fairness(of),
        _robustness(of),
        _behaviour(of),
        _folds(of),
        _blessing(of),
        _importance(of),
        _dependence(of),
        _gate(of),
        _life(of),
        _oversight(of),
        _monitoring(of),
        _reproduction(of),
    ]
    yield from found
    yield _annex(found)


def _missing(title: str, *what: str) -> Section:
    return Section(title, (f"{NOT_MEASURED}{': ' if what else ''}{'; '.join(what)}.",))


def _purpose(of: _Source) -> Section:
    spec = of.spec
    return Section(
        "Purpose and business case",
        (
            " ".join(spec.description.replace("*", "").split()),
            f"What is done without a model: {spec.rule.description}",
            f"Owner: {spec.owner.name}, {spec.owner.email}. Level {spec.level}.",
        ),
    )


def _use(title: str, sentences: Sequence[str]) -> Section:
    if not sentences:
        return Section(title, ("Not answered: the spec has no `card`.",))
    return Section(title, items=tuple(sentences))


def _costs(of: _Source) -> Section:
    return Section("What errors cost", tuple(cost_lines(of.spec)))


def _model(of: _Source) -> Section:
    candidate, manifest = of.release.candidate, of.release.manifest
    told = {
        "kind of problem": of.spec.costs.problem,
        "estimator": f"{candidate.estimator} ({candidate.type})",
        "parameters": ", ".join(f"{name} {value}" for name, value in candidate.params.items())
        or "scikit-learn's",
        "seed": str(candidate.seed),
        "trained on": f"{candidate.train_rows:,} {of.spec.gold.unit}s, decided from "
        f"{candidate.train_start:%Y-%m-%d}, labels known by {candidate.train_end:%Y-%m-%d %H:%M} "
        "UTC",
        **_refitted(of),
        "versions": ", ".join(f"{name} {value}" for name, value in candidate.versions.items()),
        "SHA-256 of the model": manifest.files[MODEL_FILE],
        "SHA-256 of the code": manifest.code_sha256,
        "SHA-256 of the locked requirements": manifest.lock_sha256,
        "SHA-256 of the release": of.release.sha256,
        "made for reason": getattr(manifest, "reason", "not recorded"),
        "commit": getattr(manifest, "commit", None) or "not recorded",
        "made on": getattr(manifest, "platform", "not recorded"),
    }
    return Section("The model", header=("", ""), rows=tuple(told.items()))


def _refitted(of: _Source) -> dict[str, str]:
    judged = of.release.candidate.judged
    if judged is None:
        return {}
    return {
        "fitted again": f"after it was accepted, on the holdout too. Version "
        f"{of.release.manifest.judged} was judged, with {judged.train_rows:,} "
        f"{of.spec.gold.unit}s and labels known by {judged.train_end:%Y-%m-%d %H:%M} UTC; all "
        "that is measured below is of that one",
        "SHA-256 of the model that was judged": judged.model_sha256,
    }


def _search(of: _Source) -> Section:
    title, found = "How its parameters were found", of.release.candidate.search
    if found is None:
        return Section(title, ("They are declared in the spec; nothing searched for them.",))
    seconds = json.loads(of.release.read(TIMING_FILE))["trial_seconds"]
    costs = [trial.cost_per_unit or 0 for trial in found.trials]
    order = sorted(
        range(len(found.trials)),
        key=lambda each: (found.trials[each].failure is not None, costs[each]),
    )
    rows = [
        (
            str(number) if number else "0, the spec's own",
            ", ".join(f"{name} {value}" for name, value in found.trials[number].params.items()),
            _number(found.trials[number].cost_per_unit, ".3f"),
            f"{seconds[number]:.1f}" if number < len(seconds) else "–",
        )
        for number in order[:_MOST]
    ]
    failed = sum(trial.failure is not None for trial in found.trials)
    ended = (
        "All that the spec asks for was tried."
        if found.ended_by == "trials"
        else "It ended when its seconds were used up: a faster machine would have tried more."
    )
    return Section(
        title,
        (
            f"{len(found.trials)} sets of parameters were tried on {found.rows:,} "
            f"{of.spec.gold.unit}s of {len(found.folds)} folds in time from "
            f"{found.folds[0]:%Y-%m-%d} on, all before the holdout; the cheapest was fitted. "
            f"{failed} could not be fitted. {ended}",
        ),
        header=("trial", "parameters", f"cost, {of.per_unit}", "seconds"),
        rows=tuple(rows),
    )


def _data(of: _Source) -> Section:
    spec, window = of.spec, Window.parse(of.release.manifest.window)
    lake = of.settings.lake(spec.name)
    rows = []
    for feed, declared in spec.feeds.items():
        after = Window(window.end, window.end + timedelta(days=1))
        landings = [
            landing
            for landing in earlier_landings(lake, feed, after)
            if Window.parse(landing.window).end <= window.end
        ]
        landed, accepted = (sum(getattr(x, n) for x in landings) for n in ("rows", "accepted"))
        share = f"{(landed - accepted) / landed:.3%}" if landed else "nothing landed"
        rows.append(
            (feed, declared.producer, str(len(landings)), f"{landed:,}", f"{accepted:,}", share)
        )
    labels = of.release.candidate.train_labels
    told = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in labels.items())
    return Section(
        "Data and where it came from",
        (
            f"Snapshot {of.release.manifest.snapshot_id}, taken for {window}: rows of "
            f"gold.{spec.gold.features_table} whose {spec.gold.label} was known by then. It can't "
            "be changed: its name is the hash of its content.",
            f"Labels in training: {told}.",
            "Rows that landed until then; those that broke their contract are in quarantine.",
        ),
        header=("feed", "producer", "windows", "landed", "accepted", "quarantined"),
        rows=tuple(rows),
    )


def _features(of: _Source) -> Section:
    from ratchet.lineage import known_sources

    sources = known_sources(of.spec, of.settings)
    described = of.release.profile.features
    rows = []
    for name, feature in of.spec.gold.features.items():
        profile = described.get(name)
        missing = f"{profile.absent / profile.rows:.1%}" if profile else NOT_MEASURED
        leaves = sorted(".".join(leaf) for leaf in (sources or {}).get(name, ()))
        origin = ", ".join(leaves) if sources else "not looked up"
        rows.append((name, feature.kind, missing, feature.known_at, origin))
    lines = (
        "Each value is one that was known when it was used; the snapshot was checked for leaks "
        "before anything was trained on it.",
        *(
            ()
            if sources
            else (
                f"Columns behind features: `ratchet card {of.spec.name} "
                f"{of.release.version}` reads them from the SQL.",
            )
        ),
    )
    header = ("feature", "kind", "missing in training", "known at", "computed from (SQL of today)")
    return Section("Features", lines, header=header, rows=tuple(rows))


def _restricted(of: _Source) -> Section:
    from ratchet.lineage import known_sources

    title, spec = "Restricted fields", of.spec
    columns = [
        (f"{feed}.{name}", ", ".join(column.tags))
        for feed, declared in spec.feeds.items()
        for name, column in declared.columns.items()
        if column.tags
    ]
    if not columns:
        return Section(
            title,
            (
                "No column of any feed is tagged restricted or personal (pii) in the spec, so "
                "there is nothing to check features against.",
            ),
        )
    if not restricted_columns(spec):
        text = "No column is tagged restricted."
    elif known_sources(spec, of.settings) is None:
        text = f"Not answered: `ratchet card {spec.name} {of.release.version}` reads the SQL."
    else:
        text = (
            "No feature is computed from a restricted column, by the lineage of the SQL; a "
            "snapshot is refused otherwise."
        )
    return Section(title, (text,), header=("column", "tags"), rows=tuple(columns))


def _quality(of: _Source) -> Section:
    spec, best = of.spec, of.best
    measured: dict[str, dict[str, Any]] = {"this release": best.get("quality", {})}
    if champion := of.evidence.get("champion"):
        measured[f"champion {champion['version']} of then"] = champion.get("quality", {})
    measured |= {f"{name} (baseline)": q for name, q in of.evidence.get("baselines", {}).items()}
    rows = [
        (
            whose,
            _number(quality.get("cost_per_unit"), ".2f"),
            *(_number(quality.get("metrics", {}).get(m), ".3f") for m in spec.costs.metrics),
        )
        for whose, quality in measured.items()
    ]
    trained = best.get("train_metrics") or {}
    own = (_number(trained.get(name), ".3f") for name in spec.costs.metrics)
    rows.insert(1, ("the same, on its own last training rows", "–", *own))
    return Section(
        "How good it is",
        (
            f"On {of.evidence['holdout_rows']:,} {spec.gold.unit}s that were decided later than "
            f"anything that it learned from, from {of.evidence['holdout_start'][:10]} on. Far "
            "better figures on its own rows would tell of over-fitting.",
        ),
        header=("", f"cost, {of.per_unit}", *(m.label for m in spec.costs.metrics.values())),
        rows=tuple(rows),
    )


def _differences(of: _Source) -> Section:
    title = "How sure the differences are"
    rows = []
    for name, other in (
        ("against_baseline", f"the best baseline, {of.evidence.get('best_baseline')}"),
        ("against_champion", "the champion of then"),
    ):
        found = of.best.get(name)
        if found is None:
            why_not = "there was none" if name in of.best else NOT_MEASURED.lower()
            rows.append((other, why_not, "–", "–", "–"))
        else:
            bounds = [_number(found.get(bound), "+.3f") for bound in ("low", "high")]
            rows.append(
                (
                    other,
                    _number(found.get("estimate", found.get("mean_per_unit")), "+.3f"),
                    f"{bounds[0]} to {bounds[1]}" if "low" in found else NOT_MEASURED.lower(),
                    _number(found.get("standard_error"), ".3f"),
                    str(found.get("clusters", found.get("days", NOT_MEASURED.lower()))),
                )
            )
    pairing = getattr(of.spec.gate, "comparison", None)
    sure = f" Intervals hold with {1 - 2 * pairing.level:.0%}." if pairing else ""
    return Section(
        title,
        (
            f"What it costs more (+) or less (-) than another on the same rows, {of.per_unit}, "
            f"days being independent, not rows.{sure}",
        ),
        header=("compared with", "difference", "interval", "standard error", "days"),
        rows=tuple(rows),
    )


def _calibration(of: _Source) -> Section:
    title, found = "Calibration", of.examination.get("calibration")
    if not of.spec.costs.has_probabilities:
        return Section(title, ("Its answers are no probabilities, so there is none.",))
    bins = of.explanations.reliability if of.explanations else ()
    lines = []
    if found:
        slope = _number(found.get("slope"), ".3f")
        lines.append(
            f"The mean error of its probabilities is {found['error']:.4f}, where chance alone "
            f"makes {found['error_by_chance']:.4f}. They are {found['bias']:+.4f} off on average "
            f"(standard error {found['bias_standard_error']:.4f}); the slope is {slope}, below 1 "
            "if it is too sure."
        )
    else:
        lines.append(f"{NOT_MEASURED}: calibration.")
    if not bins:
        return Section(title, (*lines, f"{NOT_MEASURED}: what became of each probability."))
    rows = tuple(
        (
            f"{each.said:.3f}",
            f"{each.occurred:.3f}",
            f"{_number(each.low, '.3f')} to {_number(each.high, '.3f')}",
            f"{each.rows:,}",
        )
        for each in bins
    )
    header = ("said", "occurred", "interval (95 %)", f"{of.spec.gold.unit}s")
    return Section(title, tuple(lines), header=header, rows=rows, chart=reliability_chart(bins))


def _slices(of: _Source) -> Section:
    title, found = "Slices", of.examination.get("slices")
    if not found:
        return _missing(title)
    rows = [
        (
            f"{each['column']} = {each['level']}",
            kind,
            f"{each['rows']:,}",
            f"{each['estimate']:+.2f}",
            f"{each['shrunken']:+.2f}",
            f"{each['adjusted_p_value']:.3f}",
        )
        for kind in ("declared", "found")
        for each in found[kind][:_MOST]
    ]
    return Section(
        title,
        (
            f"Where it costs more (+) than {found['rival']}, {of.per_unit}; the worst first. What "
            "to expect is drawn towards all rows, as the worst of many is mostly unlucky. The "
            "p-value is adjusted for all slices tested: a small one says that the slice is worse "
            f"by more than its margin. Beside the declared ones, {found['searched']:,} were "
            "searched.",
        ),
        header=("slice", "", f"{of.spec.gold.unit}s", "measured", "to expect", "p-value"),
        rows=tuple(rows),
    )


def _fairness(of: _Source) -> Section:
    title = "Fairness"
    declared = getattr(getattr(of.spec, "evaluation", None), "fairness", None)
    if "fairness" not in of.examination:
        return _missing(title)
    groups = of.examination["fairness"]
    if not groups:
        text = "No groups are declared in the spec, so none were measured."
        return Section(title, (text if declared is None else f"{NOT_MEASURED}.",))
    rows = [
        (
            name,
            rate.replace("_", " "),
            f"{value['value']:.3f}",
            f"{value['difference']:+.3f}",
            f"{value['low']:+.3f} to {value['high']:+.3f}",
        )
        for name, group in groups.items()
        for rate, value in group["rates"].items()
    ]
    return Section(
        title,
        ("By declared group: rates of its decisions, and how far they are from all others'.",),
        header=("group", "rate", "value", "difference", "interval (95 %)"),
        rows=tuple(rows),
    )


def _robustness(of: _Source) -> Section:
    title, found = "Disturbed inputs", of.examination.get("robustness")
    if not found:
        return _missing(title)
    known = [each for each in found if each["cost_increase"] is not None]
    worst = sorted(known, key=lambda each: -each["cost_increase"])[:_MOST]
    rows = [
        (
            each["feature"],
            each["how"].replace("_", " "),
            each["outcome"],
            f"{each['cost_increase']:+.2f}",
        )
        for each in worst
    ] + [
        (each["feature"], each["how"].replace("_", " "), each["outcome"], "–")
        for each in found
        if each["cost_increase"] is None
    ]
    return Section(
        title,
        (
            f"What it costs more, {of.per_unit}, where one feature is dealt out anew, missing, or "
            f"out of range: the worst {len(worst)} of {len(found)}.",
        ),
        header=("feature", "how", "outcome", "costs more"),
        rows=tuple(rows),
    )


def _behaviour(of: _Source) -> Section:
    title = "Behaviour"
    if "behaviour" not in of.examination:
        return _missing(title)
    found = of.examination["behaviour"]
    if not found:
        return Section(title, ("The spec declares no test of behaviour.",))
    rows = [
        (
            name.replace("_", " "),
            f"{each['rows']:,}",
            "refused" if each["observed"] is None else _value(each["observed"]),
            _required(each),
        )
        for name, each in found.items()
    ]
    header = ("test", "rows", "observed", "required")
    return Section(title, header=header, rows=tuple(rows))


def _required(test: dict[str, Any]) -> str:
    if test.get("among"):
        return "one of " + ", ".join(test["among"])
    return " to ".join(_number(test.get(bound), ".4g") for bound in ("least", "most"))


def _folds(of: _Source) -> Section:
    title, found = "Earlier times", of.examination.get("folds")
    if not found:
        return _missing(title)
    rows = [
        (
            f"{fold['start'][:10]} to {fold['end'][:10]}",
            f"{fold['train_rows']:,}",
            f"{fold['quality']['cost_per_unit']:.2f}",
            f"{fold['saving']:+.2f}",
        )
        for fold in found
    ]
    return Section(
        title,
        ("The same estimator, fitted on what was known before each of these times.",),
        header=("judged on", "rows fitted", f"cost, {of.per_unit}", "saved against baseline"),
        rows=tuple(rows),
    )


def _blessing(of: _Source) -> Section:
    title, found = "In a clean process", of.examination.get("blessing")
    if not found:
        return _missing(title)
    if found["failure"] is not None:
        return Section(title, (f"It failed: {found['failure']}",))
    refused = ", ".join(name.replace("_", " ") for name, yes in found["refuses"].items() if yes)
    told = {
        "size": f"{found['model_bytes'] / 1000:,.0f} kB",
        "largest difference from its answers in training": f"{found['max_difference']:g}",
        "answers the same bits twice": "yes" if found["is_repeatable"] else "no",
        "refuses": refused or "nothing",
        "one row, median and 95 % (ms)": f"{found['row_p50_ms']:.1f}, {found['row_p95_ms']:.1f}",
        f"{found['batch_rows']:,} rows, median and 95 % (ms)": f"{found['batch_p50_ms']:.1f}, "
        f"{found['batch_p95_ms']:.1f}",
        "peak memory (MB)": f"{found['peak_memory_mb']:,.0f}",
        "other versions than it was made with": ", ".join(found["other_versions"]) or "none",
    }
    text = "The packaged model, loaded as a deployed one would be, on the machine that judged it."
    return Section(title, (text,), header=("", ""), rows=tuple(told.items()))


def _importance(of: _Source) -> Section:
    title, found = "What its answers rest on", of.explanations
    if found is None:
        return _missing(title)
    leading = told_once(found.importance)[:_MOST]
    rows = [
        (
            ", ".join(each.features),
            f"{each.cost_increase:+.3f}",
            f"{each.low:+.3f} to {each.high:+.3f}",
        )
        for each in leading
    ]
    bars = [
        (_short(each.features), "decision", each.cost_increase)
        for each in leading
        if each.cost_increase > 0
    ]
    chart_title = f"Costs more if it tells nothing, {of.per_unit}"
    return Section(
        title,
        (
            f"Permutation importance: what decisions cost more, {of.per_unit}, if features are "
            f"dealt out anew among {found.rows:,} {of.spec.gold.unit}s of the holdout. Features "
            f"that are associated by {found.min_association:g} or more are dealt out together, as "
            "each alone would seem to matter too little, or too much. The interval holds with "
            f"{found.confidence:.0%}, days being independent.",
        ),
        header=("features", "costs more", "interval"),
        rows=tuple(rows),
        chart=bar_chart(bars, title=chart_title, form="+.2f") if bars else "",
    )


def _short(names: Sequence[str]) -> str:
    name = names[0] if len(names[0]) <= _WIDTH else f"{names[0][: _WIDTH - 1]}…"
    return name if len(names) == 1 else f"{name} +{len(names) - 1}"


def _dependence(of: _Source) -> Section:
    title, found = "How answers go with features", of.explanations
    if found is None:
        return _missing(title)
    rows = []
    for name, bins in found.dependence.items():
        told = [
            f"{_value(each.value)}: {', '.join(_mean(each.answers))} ({each.share:.0%})"
            for each in bins
        ]
        rows.append((name, " · ".join(told)))
    return Section(
        title,
        (
            f"Partial dependence: the mean answer to {found.dependence_rows:,} "
            f"{of.spec.gold.unit}s with the feature set to a value, and in brackets the share of "
            "data that lies about it. It also asks about rows that can't be, where features go "
            "together.",
        ),
        header=("feature", "value: mean answer (share of data)"),
        rows=tuple(rows),
    )


def _value(value: float | str | None) -> str:
    if value is None:
        return "missing"
    return value if isinstance(value, str) else f"{value:.4g}"


def _mean(answers: dict[str, float]) -> Iterator[str]:
    for name, value in answers.items():
        yield f"{value:.3g}" if len(answers) == 1 else f"{name} {value:.3g}"


def _gate(of: _Source) -> Section:
    title = "What the gate decided"
    found = [decision for decision in of.decisions if decision.kind == "release"]
    if not found:
        return Section(title, ("Not answered: the ledger holds no decision of the gate on it.",))
    decision = found[-1]
    rows = [
        (
            clause.name.replace("_", " "),
            compared(clause.observed),
            compared(clause.required),
            "yes" if clause.passed else "no",
            clause.text,
        )
        for clause in decision.clauses
    ]
    return Section(
        title,
        (f"It was {decision.verdict}. Every clause must be met.",),
        header=("clause", "observed", "limit", "met", "in words"),
        rows=tuple(rows),
    )


def _life(of: _Source) -> Section:
    title = "Approvals, promotion and rollbacks"
    rows = [
        (
            f"{Window.parse(decision.window).end:%Y-%m-%d}",
            KIND_LABELS.get(decision.kind, decision.kind),
            decision.verdict,
            decision.author,
            " ".join(decision.reasons) if decision.kind != "release" else why(decision),
        )
        for decision in of.decisions
    ]
    if not rows:
        return Section(title, ("Not answered: the ledger holds no decision on it.",))
    approvals = any(decision.kind == "approval" for decision in of.decisions)
    text = "" if approvals else " No person has approved or refused it."
    return Section(
        title,
        (f"All decisions of the ledger on this version, at the end of their windows.{text}",),
        header=("at", "decision", "verdict", "by", "why"),
        rows=tuple(rows),
    )


def _oversight(of: _Source) -> Section:
    spec = of.spec
    person = spec.level == 0 or getattr(spec.gate, "approval", None) is not None
    reasons = (
        f"Each of its answers names the {spec.explanations.per_row} features that moved it most."
        if spec.explanations
        else "Single answers do not name their reasons: the spec does not ask for it."
    )
    return Section(
        "Human oversight",
        (
            "A person approves each release before it decides."
            if person
            else "No person is asked before a release that the gate accepts decides.",
            reasons,
            "What decides now can be taken back by `ratchet rollback`; every decision has its "
            "reasons in the ledger.",
        ),
    )


def _monitoring(of: _Source) -> Section:
    watched, asked = of.spec.monitoring, of.spec.retraining
    how = ("by hand", "after each window", "after each window, and asks for retraining")
    return Section(
        "Monitoring after release",
        (
            f"What it decides is compared with what happens, {how[of.spec.level]}: realised cost "
            f"and metrics once labels are in ({watched.label_wait_days} days), drift of features "
            f"(PSI from {watched.max_psi:g}) and of answers (from {asked.max_prediction_psi:g}).",
            f"Retraining is asked for if it costs {asked.max_cost_increase_per_unit:g} "
            f"{of.per_unit} more than the gate saw, features, answers or labels drift and newer "
            f"rows make a better model, or {asked.min_new_labels:,} new labels are known.",
        ),
    )


def _reproduction(of: _Source) -> Section:
    return Section(
        "How to make it again",
        (
            f"`ratchet reproduce {of.spec.name} {of.release.version}` trains it from its snapshot "
            "and compares the answers to the last bit.",
        ),
    )


def _annex(sections: Iterable[Section]) -> Section:
    missing = {section.title for section in sections if section.is_missing}
    return Section(
        "Where Annex IV of the EU AI Act is answered",
        (
            "Regulation (EU) 2024/1689 asks for technical documentation of high-risk systems. This "
            "table says where this card answers a point of Annex IV, and where it does not. It is "
            "no statement that the system is high-risk, or that it complies with anything.",
        ),
        header=("point", "asks for", "answered in"),
        rows=tuple(annex_rows(missing)),
    )


def _number(value: float | None, form: str) -> str:
    return NOT_MEASURED.lower() if value is None else format(value, form)


def _markdown(section: Section) -> str:
    parts = [f"## {section.title}", *section.lines]
    if section.items:
        parts.append("\n".join(f"- {item}" for item in section.items))
    if section.rows:
        table = (section.header, ("---",) * len(section.header), *section.rows)
        parts.append("\n".join(f"| {' | '.join(map(cell, row))} |" for row in table))
    return "\n\n".join(parts)
