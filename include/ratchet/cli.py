"""The command line: `ratchet --help`."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ratchet.decision import Kind
from ratchet.errors import FeedError, RatchetError, ReleaseError
from ratchet.settings import Settings
from ratchet.window import Window

if TYPE_CHECKING:
    from ratchet.feeds import Refusal
    from ratchet.ledger import Ledger
    from ratchet.spec import Spec

_SHOWN = 20  # quarantined rows of a feed: what fits on a screen


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 done, 1 refused or failed, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except RatchetError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, or a file that may not be read
        print(f"{error}; see to it, and run the same command again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ratchet", description="A model factory on Airflow and dbt."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    sub = command("lint", _lint, "Check specs: every problem with file, line, field and remedy.")
    sub.add_argument(
        "paths", nargs="*", type=Path, help="specs or folders (default: all use cases)"
    )

    command("schema", _schema, "Print the JSON Schema of a spec.")

    command("pools", _pools, "Print the pools that the DAGs need, for `airflow pools import`.")

    sub = command("demo", _demo, "Run a sample use case: January, February, then week by week.")
    sub.add_argument("use_case", nargs="?", default="flights")
    _level(sub)
    sub.add_argument(
        "--weeks", type=int, default=6, help="weekly windows after February (default 6)"
    )
    sub.add_argument("--no-ui", action="store_true", help="end after the summary")

    sub = command("replay", _replay, "Run a sample use case through all of 2013.")
    sub.add_argument("use_case", nargs="?", default="flights")
    _level(sub)
    sub.add_argument("--no-ui", action="store_true", help="end after the summary")

    for name in ("approve", "refuse"):
        sub = command(name, _answer, f"Answer the candidate that waits for a person: {name} it.")
        sub.set_defaults(answer=name)
        sub.add_argument("--reason", default="", help="for the ledger")
        _level(sub)

    text = "Bring back the previous champion as a whole; or, with --drill, make sure that one can."
    sub = command("rollback", _rollback, text)
    sub.add_argument("use_case", nargs="?", default="flights")
    how = sub.add_mutually_exclusive_group(required=True)
    how.add_argument("--reason", help="for the ledger")
    how.add_argument("--drill", action="store_true", help="in a copy; nothing changes")
    sub.add_argument("--to", metavar="VERSION", help="default: the one before the champion")
    sub.add_argument(
        "--from",
        dest="since",
        type=_moment,
        metavar="MOMENT",
        help="end of a window, UTC, like 2013-03-08T0000 (default: of the last one scored)",
    )
    _level(sub)

    text = "Replay published history under several retraining policies: what each would have cost."
    sub = command("backtest-policy", _backtest_policy, text)
    sub.add_argument("use_case", nargs="?", default="flights")
    for option, dest, which in (("--from", "since", "first"), ("--to", "until", "last")):
        sub.add_argument(
            option,
            dest=dest,
            type=_moment,
            metavar="MOMENT",
            help=f"where the {which} window that counts {'begins' if dest == 'since' else 'ends'}, "
            "UTC, like 2013-03-08T0000 (default: all that is published)",
        )
    _level(sub)

    text = "Let trainings go on that have stopped, as candidates were lost in a row."
    actions = commands.add_parser("retraining", help=text, description=text).add_subparsers(
        required=True, metavar="ACTION"
    )
    sub = actions.add_parser("lift", help=text, description=text)
    sub.set_defaults(run=_lift)
    sub.add_argument("use_case", nargs="?", default="flights")
    sub.add_argument("--reason", required=True, help="for the ledger")
    _level(sub)

    text = "Train a release again from its snapshot, and compare to the last bit."
    sub = command("reproduce", _reproduce, text)
    sub.add_argument("use_case")
    sub.add_argument("version")
    _level(sub)

    sub = command(
        "catalogue", _catalogue, "Write a page on all tables: owners, state, lineage, use."
    )
    sub.add_argument("use_case", nargs="?", default="flights")
    _level(sub)

    sub = command("card", _card, "Write the model card of a release, as a page and as Markdown.")
    sub.add_argument("use_case", nargs="?", default="flights")
    sub.add_argument("version", nargs="?", help="default: the champion's of today")
    _level(sub)

    sub = command(
        "trace", _trace, "Walk from a prediction back to files' lines, or on from a file."
    )
    sub.add_argument("use_case")
    start = sub.add_mutually_exclusive_group(required=True)
    start.add_argument("--key", help="of a decision: what was its prediction made of?")
    start.add_argument("--file", help="name or SHA-256 of a landed file: what was made of it?")
    sub.add_argument("--full", action="store_true", help="name every line of every file")
    _level(sub)

    sub = command("summary", _summary, "Print what a use case did so far, and write it as a page.")
    sub.add_argument("use_case", nargs="?", default="flights")
    _level(sub)

    sub = command(
        "leaderboard", _leaderboard, "List all candidates and baselines as they were judged."
    )
    sub.add_argument("use_case", nargs="?", default="flights")
    _level(sub)

    _ledger_commands(commands)

    text = "List what is wrong, by cause; resolve, mark and silence it. Alone, it lists."
    _incident_commands(command("incidents", _list_incidents, text))

    text = "List quarantined rows, export them, and replay them corrected. Alone, it lists."
    _quarantine_commands(command("quarantine", _list_quarantine, text))

    _label_commands(commands)

    sub = command("blocks", _blocks, "List what is blocked, by which test, and since when.")
    sub.add_argument("use_case", nargs="?", default="flights")
    _level(sub)

    sub = command(
        "unblock", _unblock, "Accept what a test found in a window; refine it again then."
    )
    sub.add_argument("use_case")
    sub.add_argument(
        "--window", required=True, type=_window, help="its key, as `ratchet blocks` shows it"
    )
    sub.add_argument("--test", required=True, help="the test or finding that blocks")
    sub.add_argument("--reason", required=True, help="for the ledger")
    _level(sub)

    data = commands.add_parser("data", help="Check a use case's data.").add_subparsers(
        required=True, metavar="CHECK"
    )
    text = "Print what the checks found in what landed, and what else is odd in it, worst first."
    sub = data.add_parser("report", help=text, description=text)
    sub.set_defaults(run=_data_report)
    sub.add_argument("use_case", nargs="?", default="flights")
    _level(sub)

    text = "Rebuild a sample of decisions from what was known then, and compare with gold."
    sub = data.add_parser("check-as-of", help=text, description=text)
    sub.set_defaults(run=_check_as_of)
    sub.add_argument("use_case", nargs="?", default="flights")
    sub.add_argument(
        "--window",
        type=Window.parse,
        required=True,
        help="like 2013-03-01T0000--2013-03-08T0000",
    )
    sub.add_argument(
        "--sample", type=int, default=5, help="moments of decision to rebuild (default 5)"
    )
    _level(sub)
    return parser


def _ledger_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Read the decisions of a use case, and check that none was changed."
    actions = commands.add_parser("ledger", help=text, description=text).add_subparsers(
        required=True, metavar="ACTION"
    )

    def action(name: str, run: object, text: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        if name == "explain":
            sub.add_argument("id", help="its first digits, as `ratchet ledger show` prints them")
        sub.add_argument("use_case", nargs="?", default="flights")
        _level(sub)
        return sub

    sub = action("show", _show_ledger, "List decisions in the order in which they were recorded.")
    sub.add_argument("--kind", choices=get_args(Kind), help="only of this kind")
    sub.add_argument("--window", type=_window, help="only of this window, by its key")
    sub.add_argument("--verdict", help="only with this verdict, like refused")
    sub = action("verify", _verify_ledger, "Check that no entry was changed, added or removed.")
    sub.add_argument("--anchor", help="what verify printed once: <number>:<sha256>")
    action("explain", _explain, "Say why a decision was taken, on what, and what came of it.")


def _incident_commands(incidents: argparse.ArgumentParser) -> None:
    incidents.set_defaults(use_case="flights", all=False, level=None)
    actions = incidents.add_subparsers(metavar="ACTION")

    def action(name: str, run: object, text: str, *arguments: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        for argument in arguments:
            sub.add_argument(argument, help=_INCIDENT_HELP[argument])
        sub.add_argument("use_case", nargs="?", default="flights")
        _level(sub)
        return sub

    def signed(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--reason", required=True, help="for the ledger")
        sub.add_argument("--author", default=getpass.getuser(), help="who says so (default: you)")

    sub = action("list", _list_incidents, "List open incidents, with what to do.")
    sub.add_argument("--all", action="store_true", help="those that are over, too")
    action("show", _show_incident, "Say all that is known of an incident.", "id")
    signed(action("resolve", _resolve_incident, "Declare an incident over.", "id"))
    text = "Say whether it was useful to be told; rules that are mostly noise are demoted."
    sub = action("mark", _mark_incident, text, "id")
    sub.add_argument("verdict", choices=("useful", "noise"))
    sub.add_argument("--reason", default="no reason given", help="for the ledger")
    sub.add_argument("--author", default=getpass.getuser(), help="who says so (default: you)")
    sub = action("silence", _silence_rule, "Tell nobody of what a rule finds, until then.", "rule")
    sub.add_argument(
        "--until", required=True, type=_moment, metavar="MOMENT", help="UTC, like 2013-03-22T0000"
    )
    signed(sub)
    action("digest", _digest, "Print each owner's digest as it is now.")


_INCIDENT_HELP = {
    "id": "its first digits, as `ratchet incidents list` prints them",
    "rule": "like kpi.level, or an incident's cause like drift:weather; * is any text",
}


def _quarantine_commands(quarantine: argparse.ArgumentParser) -> None:
    listed = {"use_case": "flights", "feed": None, "window": None, "limit": _SHOWN, "level": None}
    quarantine.set_defaults(**listed)
    actions = quarantine.add_subparsers(metavar="ACTION")

    def action(name: str, run: object, text: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        if name != "list":
            sub.add_argument("file", type=Path, metavar="FILE.csv")
        sub.add_argument("use_case", nargs="?", default="flights")
        if name != "replay":
            sub.add_argument("--feed", help="only of this feed")
            sub.add_argument("--window", type=_window, help="only of this window, by its key")
        _level(sub)
        return sub

    sub = action("list", _list_quarantine, "List quarantined rows and files with their reasons.")
    sub.add_argument(
        "--limit", type=int, default=_SHOWN, help=f"rows to show for each feed (default {_SHOWN})"
    )
    action("export", _export_quarantine, "Write quarantined rows to a CSV, to correct them in.")
    sub = action("replay", _replay_quarantine, "Take in the values that were corrected in a CSV.")
    sub.add_argument("--reason", required=True, help="where the right values come from")
    sub.add_argument("--author", default=getpass.getuser(), help="who corrects (default: you)")


def _label_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Let people label a sample of predictions, and compare with what was estimated."
    actions = commands.add_parser("labels", help=text, description=text).add_subparsers(
        required=True, metavar="ACTION"
    )
    text = "Write a window's sample to a CSV, to fill in its column _label."
    sub = actions.add_parser("export", help=text, description=text)
    sub.set_defaults(run=_export_labels)
    sub.add_argument("use_case")
    sub.add_argument("window", nargs="?", type=_window, help="its key (default: the last scored)")
    sub.add_argument("--rows", type=int, help="default: what the spec declares")
    sub.add_argument("--to", type=Path, metavar="FILE.csv", help="default: labels-<use case>.csv")
    _level(sub)
    text = "Take in the labels of a CSV that export wrote."
    sub = actions.add_parser("import", help=text, description=text)
    sub.set_defaults(run=_import_labels)
    sub.add_argument("file", type=Path, metavar="FILE.csv")
    sub.add_argument("use_case", nargs="?", default="flights")
    sub.add_argument("--author", default=getpass.getuser(), help="who labelled (default: you)")
    _level(sub)


def _window(key: str) -> Window:
    try:
        return Window.parse(key)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment like 2013-03-08T0000") from error


def _level(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--level", type=int, choices=(0, 1, 2), help="default: what the spec declares")


def _settings(arguments: argparse.Namespace) -> Settings:
    from ratchet.orchestration.demo import FLAGSHIP, settings_at

    use_case = getattr(arguments, "use_case", FLAGSHIP)
    return settings_at(arguments.level, Settings.load(), use_case)


def _spec(arguments: argparse.Namespace) -> Spec:
    from ratchet.spec import load_spec

    return load_spec(_settings(arguments).use_cases / f"{arguments.use_case}.yaml")


def _lint(arguments: argparse.Namespace) -> int:
    from ratchet.problems import problem_of, wrong_parameters
    from ratchet.spec import lint_paths, load_spec, restricted_columns

    settings = Settings.load()
    paths = arguments.paths or [settings.use_cases]
    if lint_paths(paths, also=wrong_parameters):
        return 1
    files = [file for path in paths for file in (path.glob("*.yaml") if path.is_dir() else [path])]
    for spec in map(load_spec, sorted(files)):
        for name in spec.training.estimators:
            problem_of(spec).estimator(name)
        if restricted_columns(spec):  # what their SQL does with them, only dbt can say
            from ratchet.lineage import refuse_restricted_features

            refuse_restricted_features(spec, settings)
    return 0


def _schema(_: argparse.Namespace) -> None:
    from ratchet.spec import json_schema

    print(json_schema(), end="")


def _pools(_: argparse.Namespace) -> None:
    from ratchet.orchestration.pools import pools_file
    from ratchet.spec import load_specs

    print(pools_file(list(load_specs(Settings.load().use_cases).values())))


def _run(arguments: argparse.Namespace, weeks: int | None) -> None:
    from rich.console import Console

    from ratchet.orchestration.demo import run

    run(
        _settings(arguments),
        weeks,
        ui=not arguments.no_ui,
        console=Console(),
        use_case=arguments.use_case,
    )


def _demo(arguments: argparse.Namespace) -> None:
    _run(arguments, arguments.weeks)


def _replay(arguments: argparse.Namespace) -> None:
    _run(arguments, None)


def _answer(arguments: argparse.Namespace) -> int:
    from ratchet.orchestration.client import AirflowClient
    from ratchet.orchestration.stack import USER, LocalAirflow
    from ratchet.orchestration.tasks import APPROVE, REFUSE

    airflow = LocalAirflow(_settings(arguments))
    client = AirflowClient(airflow.url, USER, airflow.password)
    waiting = client.questions()
    if not waiting:
        print("no candidate waits for an answer", file=sys.stderr)
        return 1
    for question in waiting:
        option = APPROVE if arguments.answer == "approve" else REFUSE
        client.answer(question, option, reason=arguments.reason)
        print(f"{question.subject} {option}")
    return 0


def _rollback(arguments: argparse.Namespace) -> int:
    from ratchet.registry import drill, rollback

    spec, settings = _spec(arguments), _settings(arguments)
    if arguments.drill and (arguments.to or arguments.since):
        raise ReleaseError(
            "a drill is always of the version before the champion, from its last "
            "change on: leave out --to and --from"
        )
    if arguments.drill:
        decision = drill(spec, settings, f"by hand at {datetime.now(UTC).isoformat()}")
        print("\n".join(clause.text for clause in decision.clauses))
        print(f"{decision.verdict} in {decision.evidence['seconds']} s")
        return int(decision.verdict != "passed")
    decision = rollback(
        spec,
        settings,
        reason=arguments.reason,
        author=getpass.getuser(),
        to=arguments.to,
        since=arguments.since,
    )
    print("; ".join(decision.reasons))
    print(f"version {decision.subject['version']} decides from {_end(decision.window)} on")
    return 0


def _backtest_policy(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from ratchet.orchestration.replay import windows
    from ratchet.reporting import backtest_table, write_backtest
    from ratchet.retraining import Backtest, published_until, windows_between

    spec, settings = _spec(arguments), _settings(arguments)
    end = min(filter(None, (arguments.until, published_until(spec, settings))))
    chosen = windows_between(windows(spec), arguments.since, end)
    console = Console(stderr=True)
    with console.status("reading published history") as status:
        results = Backtest(spec, chosen, settings, status.update).results()
    page = settings.home / "reports" / f"{spec.name}-backtest.html"
    write_backtest(results, spec, Window(chosen[0].end, chosen[-1].end), page)
    print(backtest_table(results, spec), end="")
    print(f"The same as a page: {page}")


def _lift(arguments: argparse.Namespace) -> int:
    from ratchet.retraining import lift

    decision = lift(
        _spec(arguments),
        _settings(arguments),
        reason=arguments.reason,
        author=getpass.getuser(),
    )
    print("; ".join(decision.reasons) if decision else "no candidate was lost: nothing is stopped")
    return int(decision is None)


def _end(window: str) -> str:
    return f"{Window.parse(window).end:%Y-%m-%d %H:%M} UTC"


def _reproduce(arguments: argparse.Namespace) -> int:
    from ratchet.registry import reproduce

    found = reproduce(_spec(arguments), arguments.version, _settings(arguments))
    print(
        f"version {found.version}: of {found.rows:,} answers on its holdout, "
        f"{found.rows_that_differ:,} differ; "
        + (f"{', '.join(found.files_that_differ)} differ" if found.files_that_differ else "")
        + ("the same to the last bit" if found.is_same else "")
    )
    for cause in found.causes:
        print(f"  {cause}")
    if not found.is_same and not found.causes:
        print("  nothing else that is known of differs: its estimator is not deterministic")
    return int(not found.is_same)


def _catalogue(arguments: argparse.Namespace) -> None:
    from ratchet.lineage import write_catalogue

    print(write_catalogue(_spec(arguments), _settings(arguments)))


def _card(arguments: argparse.Namespace) -> None:
    from ratchet.lineage import load_graph
    from ratchet.registry import champion_at
    from ratchet.reporting import write_card

    spec, settings, version = _spec(arguments), _settings(arguments), arguments.version
    if version is None:
        champion = champion_at(spec, datetime.now(UTC), settings)
        if champion is None:
            raise ReleaseError(f"{spec.name} has no champion yet; name a version")
        version = champion.version
    load_graph(spec, settings)  # so that the card can name the columns behind features
    for path in write_card(spec, version, settings):
        print(path)


def _trace(arguments: argparse.Namespace) -> None:
    from ratchet.lineage import backward_text, forward_text, trace_file, trace_prediction

    spec, settings = _spec(arguments), _settings(arguments)
    if arguments.key:
        print(backward_text(trace_prediction(spec, arguments.key, settings), full=arguments.full))
        return
    for trace in trace_file(spec, arguments.file, settings):
        print(forward_text(trace))


def _summary(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from ratchet.orchestration.demo import print_summary

    print_summary(_spec(arguments), _settings(arguments), Console())


def _data_report(arguments: argparse.Namespace) -> None:
    import shutil

    from ratchet.reporting import data_report
    from ratchet.spec import load_spec

    settings = _settings(arguments)
    spec = load_spec(settings.use_cases / f"{arguments.use_case}.yaml")
    print(data_report(spec, settings, width=shutil.get_terminal_size((110, 24)).columns), end="")


def _ledger(arguments: argparse.Namespace) -> Ledger:
    from ratchet.ledger import Ledger

    return Ledger(_settings(arguments).lake(_spec(arguments).name).ledger)


def _leaderboard(arguments: argparse.Namespace) -> None:
    import shutil

    from ratchet.reporting import leaderboard

    columns = shutil.get_terminal_size((110, 24)).columns
    print(leaderboard(_spec(arguments), _ledger(arguments), width=columns), end="")


def _show_ledger(arguments: argparse.Namespace) -> None:
    from ratchet.reporting import list_decisions

    window = arguments.window.key if arguments.window else None
    shown = list_decisions(_ledger(arguments), arguments.kind, window, arguments.verdict)
    print(shown, end="")


def _verify_ledger(arguments: argparse.Namespace) -> int:
    from ratchet import registry, warehouse
    from ratchet.ledger import Anchor

    spec, settings = _spec(arguments), _settings(arguments)
    anchors = [Anchor.parse(arguments.anchor)] if arguments.anchor else []
    faults, by_source = [], {}
    for source, anchors_of in (
        ("MLflow", registry.ledger_anchors),
        ("the published copy", warehouse.ledger_anchors),
    ):
        try:
            by_source[source] = anchors_of(spec, settings)
        except RatchetError as error:  # the chain itself can still be checked
            faults.append(str(error))
    anchors += [anchor for found in by_source.values() for anchor in found]
    ledger = _ledger(arguments)
    faults += ledger.verify(anchors)
    for fault in faults:
        print(fault)
    if faults:
        return 1
    head = ledger.head()
    counted = " and ".join(f"{len(found)} of {source}" for source, found in by_source.items())
    print(
        f"{spec.name}: {head.number if head else 0} decisions, none changed, added or removed; "
        f"compared with the anchors outside of the ledger, {counted}"
    )
    if not by_source["MLflow"] and ledger.windows("promotion"):
        print(
            "warning: there are promotions, and MLflow remembers none; see that "
            "MLFLOW_TRACKING_URI is right and its store was not replaced"
        )
    if head:
        print(f"to remember it by: {head}")
    return 0


def _explain(arguments: argparse.Namespace) -> None:
    from ratchet.reporting import explain_decision

    print(explain_decision(_ledger(arguments), arguments.id), end="")


def _list_incidents(arguments: argparse.Namespace) -> None:
    from ratchet.incidents import all_incidents
    from ratchet.reporting import list_incidents

    known = all_incidents(_spec(arguments), _settings(arguments))
    shown = known if arguments.all else [incident for incident in known if incident.is_open]
    print(list_incidents(shown) or f"{arguments.use_case}: no incident is open\n", end="")


def _show_incident(arguments: argparse.Namespace) -> None:
    from ratchet.incidents import find_incident
    from ratchet.reporting import show_incident

    found = find_incident(_spec(arguments), arguments.id, _settings(arguments))
    print(show_incident(found), end="")


def _resolve_incident(arguments: argparse.Namespace) -> None:
    from ratchet.incidents import find_incident, resolve

    spec, settings = _spec(arguments), _settings(arguments)
    found = find_incident(spec, arguments.id, settings)
    decision = resolve(spec, found, arguments.reason, arguments.author, settings)
    print("; ".join(decision.reasons))


def _mark_incident(arguments: argparse.Namespace) -> None:
    from ratchet.incidents import find_incident, mark

    spec, settings = _spec(arguments), _settings(arguments)
    found = find_incident(spec, arguments.id, settings)
    decision = mark(spec, found, arguments.verdict, arguments.reason, arguments.author, settings)
    print("; ".join(decision.reasons))


def _silence_rule(arguments: argparse.Namespace) -> None:
    from ratchet.incidents import silence

    spec, settings = _spec(arguments), _settings(arguments)
    rule, until = arguments.rule, arguments.until
    decision = silence(spec, rule, until, arguments.reason, arguments.author, settings)
    print("; ".join(decision.reasons))


def _digest(arguments: argparse.Namespace) -> None:
    from ratchet.incidents import digests_now, message

    for digest in digests_now(_spec(arguments), _settings(arguments)):
        print(f"{digest.owner_name} <{digest.owner_email}>")
        print(message(digest))


def _quarantined(arguments: argparse.Namespace) -> list[Refusal]:
    from ratchet.feeds import read_quarantine

    spec, settings = _spec(arguments), _settings(arguments)
    if arguments.feed is not None and arguments.feed not in spec.feeds:
        raise FeedError(f"{spec.name} has no feed {arguments.feed!r}; name one of {[*spec.feeds]}")
    return read_quarantine(spec, arguments.window, settings, arguments.feed)


def _list_quarantine(arguments: argparse.Namespace) -> None:
    from itertools import groupby

    refusals = _quarantined(arguments)
    if not refusals:
        print(f"{arguments.use_case}: nothing is quarantined here")
    for feed, group in groupby(refusals, key=lambda refusal: refusal.feed):
        found = list(group)
        print(f"{feed}: {len(found):,} quarantined")
        for refusal in found[: arguments.limit]:
            line = f" line {refusal.row}" if refusal.row else ""
            print(f"  {refusal.file}{line}: {'; '.join(refusal.reasons)}")


def _blocks(arguments: argparse.Namespace) -> None:
    from itertools import groupby

    from ratchet.spec import load_spec
    from ratchet.warehouse import open_blocks

    settings = _settings(arguments)
    spec = load_spec(settings.use_cases / f"{arguments.use_case}.yaml")
    blocks = open_blocks(spec, settings)
    if not blocks:
        print(f"{spec.name}: nothing is blocked")
    for (window, cause), group in groupby(blocks, key=lambda b: (b.window, b.blocked_by)):
        found = list(group)
        rows = "" if found[0].rows is None else f" found {found[0].rows:,} rows"
        where = found[0].rows_path
        where = f": {settings.lake(spec.name).root / where}" if where else ""
        error = f": {found[0].reason}" if found[0].reason else ""
        print(f"{window}  {cause}{rows}{where}{error}")
        for block in found:
            print(f"  {block.table_name}")


def _unblock(arguments: argparse.Namespace) -> None:
    from getpass import getuser

    from ratchet.spec import load_spec
    from ratchet.warehouse import unblock

    settings = _settings(arguments)
    spec = load_spec(settings.use_cases / f"{arguments.use_case}.yaml")
    window, test, reason = arguments.window, arguments.test, arguments.reason
    decision = unblock(spec, window, test, reason, getuser(), settings)
    print("; ".join(decision.reasons))
    print(f"run {spec.name}__refine_data for {window.key} again to publish it")


def _export_quarantine(arguments: argparse.Namespace) -> None:
    from ratchet.feeds import export_quarantine

    rows, files = export_quarantine(_quarantined(arguments), arguments.file)
    print(f"{rows:,} rows are in {arguments.file}")
    if files:
        print(f"{files:,} whole files are not: have them sent again, and land their windows")
    if rows:
        print(f"correct values, then: ratchet quarantine replay {arguments.file} --reason ...")


def _replay_quarantine(arguments: argparse.Namespace) -> int:
    from ratchet.feeds import replay_quarantine

    spec = _spec(arguments)
    replays = replay_quarantine(
        spec, arguments.file, _settings(arguments), arguments.author, arguments.reason
    )
    for replay in replays:
        landing = replay.landing
        print(
            f"{landing.feed} {replay.window}: {replay.corrected:,} corrections are new; of "
            f"{landing.rows:,} rows {landing.accepted:,} are accepted, {landing.corrected:,} of "
            f"them corrected, and {landing.quarantined:,} are quarantined"
        )
        for fault in replay.faults:
            print(f"  still blocked: {fault}")
    print("rebuild what rests on them:")
    for key in sorted({replay.window.key for replay in replays}):
        print(f'  airflow dags trigger {spec.name}__refine_data --conf \'{{"window": "{key}"}}\'')
    return int(any(replay.faults for replay in replays))


def _export_labels(arguments: argparse.Namespace) -> None:
    from ratchet.monitoring import export_labels

    spec, window, to = _spec(arguments), arguments.window, arguments.to
    to = to or Path(f"labels-{spec.name}.csv")
    window, rows = export_labels(spec, window, to, _settings(arguments), arguments.rows)
    print(f"{rows:,} {spec.gold.unit}s of {window} are in {to}")
    print(f"fill in _label, then: ratchet labels import {to} {spec.name}")


def _import_labels(arguments: argparse.Namespace) -> None:
    from ratchet.monitoring import import_labels

    spec = _spec(arguments)
    unit = f"{spec.costs.unit} per {spec.gold.unit}"
    for found in import_labels(spec, arguments.file, _settings(arguments), arguments.author):
        by_hand = found.sampled
        print(
            f"{found.window}: {found.new:,} labels are new; {found.labelled:,} of {found.asked:,} "
            f"are labelled, and say {by_hand.estimate:.2f} {unit} "
            f"({by_hand.low:.2f} to {by_hand.high:.2f})"
        )
        if found.estimated is not None:
            inside = by_hand.low <= found.estimated <= by_hand.high
            print(
                f"  estimated without labels: {found.estimated:.2f}, which "
                + ("agrees" if inside else "is outside: the answers no longer mean what they say")
            )


def _check_as_of(arguments: argparse.Namespace) -> bool:
    from ratchet.quality import check_as_of

    settings = _settings(arguments)
    findings = check_as_of(_spec(arguments), arguments.window, settings, arguments.sample)
    for finding in findings:
        print(finding.text)
    return any(finding.is_fault for finding in findings)
