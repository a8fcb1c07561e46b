"""The errors that a user can act on; each message says what is wrong and how to fix it.

::

    StreamFlowError
    ├── BackupError              a backup cannot be made or restored
    ├── ConfigError              a setting is unknown or has a wrong value
    ├── SourceError              a source could not be read or written
    │   ├── SourceUnavailable    trying again later may help
    │   ├── SourceRefused        trying again does not help
    │   └── SourceConflict       the record was changed by somebody else
    ├── UdiUnavailable           the UDI's store cannot be reached
    ├── UnknownRecord            no record has this id (a LookupError too)
    └── UnusablePattern          a login's pattern cannot rewrite URLs
"""


class StreamFlowError(Exception):
    """Base of every error that StreamFlow raises on purpose."""


class ConfigError(StreamFlowError):
    """A setting is unknown or has a wrong value; the message names its path.

    :param faults: the path and the fault of each wrong setting, where the settings could be read.
    """

    def __init__(self, message: str, faults: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class BackupError(StreamFlowError):
    """A backup cannot be made or restored; the message names the fix."""


class SourceError(StreamFlowError):
    """A source (Dispatcharr, M3U, Xtream) could not be read or written."""


class SourceUnavailable(SourceError):
    """The source is unreachable or its reply cannot be understood; trying again later may help."""


class SourceRefused(SourceError):
    """The source rejected the request (wrong login, no rights, invalid data); trying again does not help."""


class SourceConflict(SourceError):
    """Somebody changed the record since it was read; nothing was written."""


class UdiUnavailable(StreamFlowError):
    """The UDI's store cannot be reached."""


class UnknownRecord(StreamFlowError, LookupError):
    """No record has this id."""


class UnusablePattern(StreamFlowError):
    """The pattern of a login cannot rewrite URLs; the message says why and repeats no part of it."""
