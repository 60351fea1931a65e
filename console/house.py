"""Where workers run, as this person's settings and this folder say."""

from engine.fleet.house import House, Spec


def house(url: str = "", *, name: str = "", keep: bool = False, slots: int | None = None) -> House:
    """The house to ask, as `engine.fleet.choose.open_house` finds it."""
    from console.commands.houses import aws_table
    from engine.fleet.choose import open_house

    return open_house(url, name=name, aws=aws_table(None), keep=keep, slots=slots)


def spec_of(image: str) -> Spec:
    """What a deploy of `image` makes, by the same settings.

    Raises:
        Refused: the settings are wrong.
    """
    from console.commands.houses import aws_table
    from engine.fleet.ecs.settings import read

    return Spec(image, **read(aws_table(None))[1])
