"""The windows on which the checks of feeds are tested: two months of past, and a week."""

from ratchet.window import Window

PAST = Window.parse("2012-12-31T0000--2013-03-01T0000")
WEEK = Window.parse("2013-03-01T0000--2013-03-08T0000")
