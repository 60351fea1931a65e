"""Who acts: for the record of who triggered and cancelled what."""

import getpass
import socket


def whoami() -> str:
    """user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "?"
    return f"{user}@{socket.gethostname()}"
