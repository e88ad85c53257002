"""Days on which people do other things than on that weekday."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

NEAR_HOLIDAY = timedelta(days=3)  # a long weekend and its travel reach so far either side


def near_holidays(country: str | None, years: Iterable[int]) -> dict[date, str]:
    """Return the public holidays of a country and the days near them; none without a country.

    Parameters
    ----------
    country
        ISO 3166 code of two letters.
    years
        Years of the holidays; days near these may lie in the year before or after.

    Returns
    -------
    dict
        Name of the nearest holiday by day, the earlier one of two.

    Examples
    --------
    >>> from datetime import date
    >>> near_holidays("US", [2013])[date(2013, 7, 5)]
    'Independence Day'
    >>> date(2013, 7, 8) in near_holidays("US", [2013])
    False
    """
    if country is None:
        return {}
    import holidays

    named = holidays.country_holidays(country, years=sorted(set(years)), language="en_US")
    reach = range(-NEAR_HOLIDAY.days, NEAR_HOLIDAY.days + 1)
    found: dict[date, str] = {}
    for distance in sorted(reach, key=abs, reverse=True):
        for day in sorted(named, reverse=True):
            found[day + timedelta(days=distance)] = named[day]
    return found
