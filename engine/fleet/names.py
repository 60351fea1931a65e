"""What a version is called where a branch's name is not allowed. Pure."""

import hashlib
import re

LONGEST = 32
"""Characters of the readable part."""


def slug(version: str) -> str:
    """A version as a name of letters, digits and single dashes, at most 41 characters: `feature/x` is `feature-x-` and eight hex
    digits. Those tell apart what reads the same: `a/b` and `a-b`."""
    readable = re.sub(r"[^a-z0-9]+", "-", version.lower()).strip("-")[:LONGEST].strip("-")
    digest = hashlib.sha256(version.encode()).hexdigest()[:8]
    return f"{readable}-{digest}" if readable else digest
