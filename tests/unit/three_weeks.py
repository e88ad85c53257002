"""The flagship's first three weeks, with what real producers do: send again, and send late."""

import shutil
from datetime import timedelta
from pathlib import Path

from ratchet.feeds import land
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.warehouse import build, publish
from ratchet.window import Window

BASE = Window.parse("2012-12-31T0000--2013-01-10T0000")
LATER = (
    Window.parse("2013-01-10T0000--2013-01-14T0000"),
    Window.parse("2013-01-14T0000--2013-01-18T0000"),
    Window.parse("2013-01-18T0000--2013-01-22T0000"),
)
LAYERS = ("bronze", "silver", "gold")

SENT_AGAIN = "2013-01-14_B6_727_JFK"
SENT_TOO_LATE = "2013-01-14_B6_739_JFK"
_ADDED = {
    # a later departure, sent in time; another one, sent when the flight had been decided on
    "schedules/schedules_20130114.csv": [
        "2013-01-14,B6,727,JFK,BQN,2013-01-15T05:30:00Z,30,507,1576,2013-01-14T12:00:00Z",
        "2013-01-14,B6,739,JFK,PSE,2013-01-15T05:59:00Z,59,544,1617,2013-01-15T03:30:00Z",
    ],
    # what the boards of the day before had told
    "movements/movements_20130114.csv": [
        "2013-01-13,B6,917,JFK,departed,2013-01-13T23:10:00Z,99,N190JB",
    ],
    # an hour that comes a day late, and a storm that nobody survived
    "weather/weather_20130114.csv": [
        "EWR,2013-01-13T11:00:00Z,48,44.96,86.13,0,1048,NA,0,1017.2,10,2013-01-14T09:00:00Z",
        "JFK,2013-01-13T12:00:00Z,99,44.96,86.13,0,0,NA,0,1017.2,10,2013-01-14T09:30:00Z",
    ],
}


def prepare(spec: Spec, inbox: Path, home: Path) -> Settings:
    """Land all windows below `home`, without building any."""
    settings = Settings(home, home)
    for path in inbox.glob(f"{spec.name}/*/*.csv"):
        if path.stem.split("_")[1] < f"{LATER[-1].end:%Y%m%d}":
            copy = settings.inbox / path.relative_to(inbox)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    for name, rows in _ADDED.items() if spec.name == "flights" else ():
        with (settings.inbox / spec.name / name).open("a") as file:
            file.writelines(f"{row}\n" for row in rows)
    for window in (BASE, *LATER):
        land(spec, window, settings, "landed")
    return settings


def build_all(spec: Spec, window: Window, settings: Settings) -> None:
    """Build the layers of a window and publish them."""
    for layer in LAYERS:
        build(spec, window, layer, settings, "built")
    publish(spec, window, settings)


def day(text: str) -> Window:
    """Return the UTC day of a date like 2013-01-20."""
    window = Window.parse(f"{text}T0000--{text}T0001")
    return Window(window.start, window.start + timedelta(days=1))
