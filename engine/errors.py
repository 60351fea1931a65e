"""What can be wrong, one type a cause; all of them are `WavedeckError`, whose text is a sentence for the person who reads it."""


class WavedeckError(Exception):
    """Base of every error that Wavedeck raises on purpose."""


class BadKey(WavedeckError):
    """A part of a key (version, pipe, entity, date) is outside the grammar; the text names the part."""


class BadFlow(WavedeckError):
    """A flow is wrong: a cycle, an unknown input, a bad duration, a duplicate name; the text names file, task and reason."""


class BadValue(WavedeckError):
    """A task's value cannot be written to its pipe: not JSON, or larger than a pipe may be."""


class PipeConflict(WavedeckError):
    """A pipe exists already with another value; the text names both writers. The first value stays."""


class NotFound(WavedeckError):
    """There is no such flow, wave, entity or pipe."""


class Refused(WavedeckError):
    """The act is understood and not allowed now: an empty state, a cancelled wave, a Redis that is too small."""
