"""Who acts: for the record of who triggered and cancelled what."""

import getpass
import socket


def whoami() -> str:
    """user@host; what of it is no text is replaced, for it comes from the environment."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "?"
    return f"{user[:200]}@{socket.gethostname()}".encode("utf-8", "replace").decode()
