"""A person's own settings: `config.toml` in the user's configuration directory, or the file that `WAVEDECK_CONFIG` names.

theme = "wavedeck-light"          # any theme of Textual's or ours; TEXTUAL_THEME goes before it
glyphs = "ascii"                  # for fonts without the glyphs
save = "/somewhere"               # where ctrl-s puts screens; default: the directory the console was started in; on a web page it is a download
bell = false                      # `w` shows and says so in the title, without ringing
slow_link = true                  # as --slow-link

[aws]                             # where workers run on Amazon ECS: docs/commands.md
region = "eu-central-1"

[keys]                            # action = "key,key"; the help lists the actions
"wave.cancel" = "ctrl+x"
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from engine.errors import WavedeckError


class BadSettings(WavedeckError):
    """The settings cannot be read; the text names the file and what is wrong in it."""


@dataclass(frozen=True)
class Settings:
    """What a person has set; the module says what each is."""

    theme: str = ""
    glyphs: str = "unicode"
    save: str = ""
    bell: bool = True
    slow_link: bool = False
    keys: dict[str, str] = field(default_factory=dict)
    aws: dict[str, Any] = field(default_factory=dict)


def load(path: Path | None = None) -> Settings:
    """The settings of this person; defaults where there is no file.

    Raises:
        BadSettings: the file cannot be read, or says what nobody understands.
    """
    file = path or _file()
    try:
        text = file.read_text("utf-8")
        import tomllib  # most people have no such file

        told = tomllib.loads(text)
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        raise BadSettings(f"{file}: {error}") from None
    return _checked(file, told)


def _file() -> Path:
    if named := os.environ.get("WAVEDECK_CONFIG"):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("wavedeck") / "config.toml"


def _checked(file: Path, told: dict[str, Any]) -> Settings:
    known = {f.name: type(getattr(Settings(), f.name)) for f in fields(Settings)}
    for name, value in told.items():
        if name not in known:
            raise BadSettings(f"{file}: nothing is called {name!r}; there are: {', '.join(known)}")
        if not isinstance(value, known[name]):
            raise BadSettings(f"{file}: {name} is {value!r}, which is no {known[name].__name__}")
    settings = Settings(**told)
    if settings.glyphs not in ("unicode", "ascii"):
        raise BadSettings(f"{file}: glyphs is {settings.glyphs!r}; it can be unicode or ascii")
    if wrong := [name for name, keys in settings.keys.items() if not isinstance(keys, str)]:
        raise BadSettings(f"{file}: keys.{wrong[0]} is no text")
    return _with_good_keys(file, settings)


def _with_good_keys(file: Path, settings: Settings) -> Settings:
    if settings.keys:
        from console.actions import textual_keymap

        try:
            textual_keymap(settings.keys)
        except ValueError as error:
            raise BadSettings(f"{file}: {error}") from None
    return settings
