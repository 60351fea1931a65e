from console.history import History
from console.locator import Locator, parse

HOME, A, B, C = Locator(), parse("wave a@main 2013-07-01T14"), parse("pipes"), parse("workers")


def test_back_forward_and_last() -> None:
    history = History()
    assert history.last is None and history.step(-1) is None
    for place in (HOME, A, B):
        history.visit(place)
    assert history.last == A
    assert history.step(-1) == A and history.step(-1) == HOME and history.step(-1) is None
    assert history.last == A
    assert history.step(1) == A and history.here == A
    history.visit(C)
    assert history.step(1) is None, "a new visit forgets what lay ahead"
    assert history.step(-1) == A


def test_learning_more_of_a_place_is_no_visit() -> None:
    history = History()
    history.visit(HOME)
    history.visit(A)
    more = parse("wave a@main 2013-07-01T14 w0123456789ab /status:failed")
    history.visit(more)
    assert history.here == more and history.last == HOME


def test_it_forgets_the_oldest() -> None:
    history = History()
    for number in range(300):
        history.visit(parse(f"wave a@main 2013-07-01T14 w{number:012x}"))
    steps = 0
    while history.step(-1):
        steps += 1
    assert steps == 99
