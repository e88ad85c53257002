"""Telling people what happened: in the terminal, and as a page."""

from ratchet.reporting.backtest import backtest_table, write_backtest
from ratchet.reporting.card import write_card
from ratchet.reporting.data import data_report
from ratchet.reporting.decisions import explain_decision, list_decisions
from ratchet.reporting.incidents import list_incidents, show_incident
from ratchet.reporting.leaderboard import leaderboard
from ratchet.reporting.pack import evidence_pack
from ratchet.reporting.page import write_html
from ratchet.reporting.summary import FeedCount, Summary, Week, summarise
from ratchet.reporting.text import render_text

__all__ = [
    "FeedCount",
    "Summary",
    "Week",
    "backtest_table",
    "data_report",
    "evidence_pack",
    "explain_decision",
    "leaderboard",
    "list_decisions",
    "list_incidents",
    "render_text",
    "show_incident",
    "summarise",
    "write_backtest",
    "write_card",
    "write_html",
]
