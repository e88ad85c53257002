"""Under which contract a feed's window is landed, and whether it may have changed."""

from __future__ import annotations

from dataclasses import dataclass

from ratchet.decision import Clause, Decision
from ratchet.errors import FeedError
from ratchet.feeds.records import FeedLanding
from ratchet.feeds.versions import Contract, changes
from ratchet.spec.types import Spec
from ratchet.window import Window


@dataclass(frozen=True)
class Agreement:
    """The contract of one feed's window.

    `changes` says how it differs from that of the window before; `decision` is there if a raised
    version lets incompatible changes pass.
    """

    contract: Contract
    changes: tuple[str, ...] = ()
    decision: Decision | None = None


def agree(
    spec: Spec, name: str, window: Window, before: FeedLanding | None, own: FeedLanding | None
) -> Agreement:
    """Find the contract under which a window is landed.

    Parameters
    ----------
    spec
        Declares the contract of today.
    name
        The feed.
    window
        What is landed.
    before
        The last settled window before it, if there is one.
    own
        The window itself, if it is settled. It keeps its contract when the spec has a later
        version: its files were sent under that one.

    Raises
    ------
    FeedError
        If the spec lowers the version, or changes the contract incompatibly without raising it.
    """
    declared = Contract.of(spec.feeds[name])
    for landing in (before, own):
        if landing is not None and landing.contract is not None:
            _refuse_breach(spec, name, declared, landing.contract, Window.parse(landing.window))
    kept = own.contract if own else None
    contract = kept if kept and kept.version < declared.version else declared
    past = before.contract if before else None
    if past is None:
        return Agreement(contract)
    compatible, incompatible = changes(past, contract)
    noted = (*incompatible, *compatible)
    decision = _decision(spec, name, window, past, contract, noted)
    return Agreement(contract, noted, decision if contract.version > past.version else None)


def _refuse_breach(
    spec: Spec, name: str, declared: Contract, landed: Contract, window: Window
) -> None:
    owner = spec.owner_of(name)
    now, then = declared.version, landed.version
    if now < then:
        raise FeedError(
            f"{name}: contract_version is {now}, and {window} was landed under {then}; a version "
            f"is never taken back: write {then}, or {then + 1} with the contract that you want"
        )
    incompatible = changes(landed, declared)[1]
    if now == then and incompatible:
        raise FeedError(
            f"{name}: since {window} its contract has changed so that files, rows or readers of "
            f"before no longer fit, under the same contract_version {now}: "
            f"{', '.join(incompatible)}; undo that, or agree on it with {owner.name} "
            f"<{owner.email}> and raise contract_version to {now + 1}"
        )


def _decision(
    spec: Spec, name: str, window: Window, past: Contract, new: Contract, noted: tuple[str, ...]
) -> Decision:
    owner = spec.owner_of(name)
    clause = Clause(
        name="contract_version_is_raised",
        passed=new.version > past.version,
        observed=float(new.version),
        required=float(past.version + 1),
        text=f"The contract of {name} is version {new.version}, after {past.version}: "
        f"{', '.join(noted) or 'nothing else differs'}.",
    )
    return Decision(
        kind="contract",
        use_case=spec.name,
        window=window.key,
        verdict="accepted",
        clauses=(clause,),
        subject={"feed": name, "contract": new.sha256},
        author=f"{owner.name} <{owner.email}>",
    )
