"""Errors that a user can act on. Each message names what is wrong and how to mend it."""


class StreamFlowError(Exception):
    """Base of every error that StreamFlow raises on purpose."""


class ConfigError(StreamFlowError):
    """A setting is unknown or ill-typed; the message names its path."""


class SourceError(StreamFlowError):
    """A source (Dispatcharr, M3U, Xtream) could not be read or written."""


class SourceUnavailable(SourceError):
    """The source does not answer or answers nonsense; trying again later may help."""


class SourceRefused(SourceError):
    """The source refused us (wrong login, no rights, an invalid write); trying again will not help."""


class SourceConflict(SourceError):
    """Somebody changed what we were about to write; nothing was written."""


class UdiUnavailable(StreamFlowError):
    """The UDI's store does not answer."""


class UnknownRecord(StreamFlowError, LookupError):
    """The UDI holds no record of this id."""
