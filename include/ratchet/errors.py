"""Every failure that Ratchet raises by itself.

::

    RatchetError
    ├── SettingError         an environment variable holds what can't be used
    ├── SpecError            a use case's spec is wrong: file, line, field, remedy
    ├── AccessError          data may not be used for this, or may not lie here
    ├── FeedError            a feed can't be landed: which file, why, what to do
    ├── BuildError           a dbt build or one of its tests failed
    ├── SnapshotError        training data is empty, changed, or not what its id says
    ├── TrainingError        an estimator could not be fitted
    ├── EvidenceError        a number that a decision needs is missing, NaN or empty
    ├── LineageError         there is nothing to trace: no such prediction or file
    ├── StorageError         a store can't be reached, or can't do what is needed of it
    ├── LedgerError          the ledger is broken or refuses an entry
    │   └── OvertakenError   others recorded after what a decision rests on was read
    ├── ReleaseError         a release is missing, or is not what its record says
    ├── IncidentError        there is no such incident, or a decision on it makes no sense
    └── OrchestrationError   Airflow did not do what was asked of it
"""


class RatchetError(Exception):
    """The family of all of Ratchet's own errors."""


class SettingError(RatchetError):
    """An environment variable holds what can't be used."""


class SpecError(RatchetError):
    """A use case's spec is wrong."""


class AccessError(RatchetError):
    """Data may not be used for this, or may not lie here."""


class FeedError(RatchetError):
    """A feed can't be landed."""


class BuildError(RatchetError):
    """A dbt build or one of its tests failed."""


class SnapshotError(RatchetError):
    """Training data is empty, changed, or not what its id says."""


class TrainingError(RatchetError):
    """An estimator could not be fitted."""


class EvidenceError(RatchetError):
    """A number that a decision needs is missing, NaN or empty."""


class LineageError(RatchetError):
    """There is nothing to trace: no such prediction or file."""


class StorageError(RatchetError):
    """A store can't be reached, or can't do what is needed of it."""


class LedgerError(RatchetError):
    """The ledger is broken or refuses an entry."""


class OvertakenError(LedgerError):
    """Others recorded after what a decision rests on was read: decide again."""


class ReleaseError(RatchetError):
    """A release is missing, or is not what its record says."""


class IncidentError(RatchetError):
    """There is no such incident, or a decision on it makes no sense."""


class OrchestrationError(RatchetError):
    """Airflow did not do what was asked of it."""
