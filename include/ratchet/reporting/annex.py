"""The points of Annex IV, and the sections of a card that answer them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

POINTS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    (
        "1(a)",
        "intended purpose, provider, version and how it follows earlier ones",
        ("Purpose and business case", "Intended use", "Approvals, promotion and rollbacks"),
        "",
    ),
    (
        "1(b)",
        "how it interacts with other hardware, software or AI systems",
        (),
        "nothing is recorded of what reads its predictions",
    ),
    ("1(c)", "versions of software, and what updates require", ("The model",), ""),
    (
        "1(d)",
        "forms in which it is placed on the market or put into service",
        (),
        "predictions are written as tables; anything beyond is the deployer's",
    ),
    (
        "1(e)",
        "hardware that it is intended to run on",
        (),
        "only the machine that judged it is known",
    ),
    ("1(f)", "pictures of a product that it is part of", (), "it is software alone"),
    ("1(g)", "the deployer's user interface", (), "it has none of its own"),
    ("1(h)", "instructions for use", ("Intended use", "Excluded use"), ""),
    (
        "2(a)",
        "methods and steps of development, third parties' tools",
        ("The model", "How to make it again"),
        "",
    ),
    (
        "2(b)",
        "design, key choices and assumptions, what it optimises for",
        (
            "Purpose and business case",
            "What errors cost",
            "The model",
            "How its parameters were found",
        ),
        "",
    ),
    (
        "2(c)",
        "architecture, and computational resources",
        (),
        "docs of Ratchet describe the architecture; resources of training are not recorded here",
    ),
    (
        "2(d)",
        "training data: provenance, scope, selection, labels, cleaning",
        ("Data and where it came from", "Features", "Known limits"),
        "",
    ),
    (
        "2(e)",
        "human oversight, and help to interpret the outputs",
        ("Human oversight", "What its answers rest on"),
        "",
    ),
    ("2(f)", "changes that are determined beforehand", ("Monitoring after release",), ""),
    (
        "2(g)",
        "validation and testing: data, metrics, robustness, discrimination, signed reports",
        (
            "How good it is",
            "How sure the differences are",
            "Calibration",
            "Slices",
            "Fairness",
            "Disturbed inputs",
            "Behaviour",
            "Earlier times",
            "In a clean process",
            "What the gate decided",
        ),
        "reports are dated by their window, and signed by nobody",
    ),
    (
        "2(h)",
        "cybersecurity",
        (),
        "only that models are stored without code and checked by hash before they are read",
    ),
    (
        "3",
        "capabilities and limits, accuracy by group, risks, oversight, input data",
        ("How good it is", "Slices", "Fairness", "Known limits", "Features", "Human oversight"),
        "risks to health, safety and fundamental rights are not assessed",
    ),
    ("4", "why the metrics are appropriate", ("What errors cost", "How good it is"), ""),
    ("5", "the risk management system (Article 9)", (), "there is none that Ratchet knows of"),
    ("6", "changes through the lifecycle", ("Approvals, promotion and rollbacks",), ""),
    ("7", "harmonised standards applied", (), "none are recorded"),
    ("8", "the EU declaration of conformity (Article 47)", (), "there is none"),
    (
        "9",
        "evaluation after release, with a monitoring plan (Article 72)",
        ("Monitoring after release",),
        "it is no plan in the sense of Article 72(3)",
    ),
)
"""Point, what it asks for in short, the sections that speak of it, and what is left open."""


def annex_rows(missing: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each point with where it is answered, or why not.

    Parameters
    ----------
    missing
        Titles of sections that have nothing to say.

    References
    ----------
    Regulation (EU) 2024/1689, Annex IV, points 1 to 9.
    """
    for point, asks, sections, left_open in POINTS:
        answered = [title for title in sections if title not in missing]
        gone = [f"{title} (nothing measured or said)" for title in sections if title in missing]
        open_ends = [*gone, *([left_open] if left_open else [])]
        parts = [", ".join(answered)] if answered else []
        if open_ends:
            parts.append(f"not answered: {'; '.join(open_ends)}")
        yield point, asks, ". ".join(parts)
