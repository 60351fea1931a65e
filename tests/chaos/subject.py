"""The flow that chaos is done to: quick tasks and slow ones, commands, threads, timeouts, limits, failures and fallbacks.

Every execution says in the journal when it starts and when it finishes, and what it gives is like no other's, so that a second
execution, were its value ever seen, would be told from the first.
"""

from dataclasses import dataclass
from pathlib import Path

FLOW = """
import functools, random
DICE = random.SystemRandom()  # a forked slot must not throw what its sister throws

@functools.cache  # where workers run, not where the flow is only imported
def journal():
    return os.open("journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

flow = Flow("chaos", state="chaos", every="1h", keep="7d")

def say(what, date, task, entity, nonce):
    os.write(journal(), f"{what} {date} {task} {entity} {os.getpid()} {nonce} {time.time():.6f}\\n".encode())

def run(task, entity, date, seconds, wrong=False):
    nonce = f"{os.getpid()}-{DICE.getrandbits(48):x}"
    say("start", date, task, entity, nonce)
    time.sleep(seconds)
    say("finish", date, task, entity, nonce)
    if wrong:
        raise ValueError(f"{entity} is wrong")
    return {"nonce": nonce}

def number(entity):
    return int(entity[1:])

@flow.task
def quick(entity, date):
    return run("quick", entity, date, DICE.uniform(0, 0.01))

@flow.task
def picky(entity, date):
    return run("picky", entity, date, DICE.uniform(0, 0.02), wrong=(number(entity) + date.start.hour) % 5 == 3)

@flow.task(waits=True)
def waiting(entity, date):
    return run("waiting", entity, date, DICE.uniform(0.02, 0.15))

@flow.task
def slow(quick, entity, date):
    return run("slow", entity, date, DICE.uniform(0.02, 0.2) if DICE.random() < 0.92 else 1.2)

@flow.task(timeout="150ms")
def late(entity, date, slow=None):
    return run("late", entity, date, DICE.uniform(0, 0.02))

@flow.task(lookback={"picky": "2h"})
def older(picky, entity, date):
    return run("older", entity, date, DICE.uniform(0, 0.02))

@flow.task(limit="400ms")
def bound(quick, entity, date):
    return run("bound", entity, date, 2.0 if number(entity) % 12 == 7 else 0.01)

flow.command("shell", ["bash", "shell.sh"], needs=["quick"])

@flow.task
def total(late, entity, date, older=None, shell=None, bound=None, waiting=None):
    return run("total", entity, date, 0.0)
"""

SHELL = """
export LC_ALL=C
nonce=$$-$RANDOM$RANDOM$RANDOM
say() { echo "$1 $WAVEDECK_DATE shell $WAVEDECK_KEY $$ $nonce $EPOCHREALTIME" >>journal; }
say start
sleep 0.0$((RANDOM % 9))
say finish
echo "{\\"nonce\\": \\"$nonce\\"}"
"""


@dataclass(frozen=True)
class Line:
    """A line of the journal. `at`: Unix seconds; `nonce` names the execution."""

    what: str
    date: str
    task: str
    entity: str
    pid: int
    nonce: str
    at: float


def read_journal(path: Path) -> list[Line]:
    """What tasks have said, in the order in which they said it."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text().splitlines():
        what, date, task, entity, pid, nonce, at = text.split(" ")
        lines.append(Line(what, date, task, entity, int(pid), nonce, float(at)))
    return lines
