"""Any order of what workers, operators and the clock may do to a wave, held against a model that fits on a page.

pytestmark = pytest.mark.every_house

At every step: the board is the model's, the counters are a recount of the board and sum to N×T, `left` is the number of
entities that have not ended, and whoever's token is old has changed nothing.
"""

from dataclasses import dataclass, field

from boards import B, C, F, O, P, R, U, X, check_counts, columns, lapse, make, send, try_claim
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from redis import Redis

from engine.status import ENDED, LEGAL, Cell
from engine.store.claims import MOST_ATTEMPTS, Claimed, Closed, Move, Moved, Moves, holds_of, release, renew
from engine.store.wave import Wave
from engine.store.waves import Waves

WORKERS = ("w1", "w2", "w3")
FRESH, HELD, BACK, DONE = "never claimed", "held", "given back", "ended"


@dataclass
class Entity:
    """What the model knows of an entity. `token` counts claims and give-backs; a holder's token must be it."""

    cells: list[Cell]
    place: str = FRESH
    token: int = 0
    attempts: int = 0
    lapsed: bool = False


@dataclass
class Hold:
    """What a worker believes to hold: it may be stale."""

    entity: int
    record: bytes
    token: int


@dataclass
class Call:
    """A transition call that a worker may repeat."""

    moves: Moves
    holder: Hold
    before: Cell
    after: Cell
    task: int
    entities: list[int] = field(default_factory=list)


class Board(RuleBasedStateMachine):
    """A wave of a few entities, three workers, an operator, and time that passes."""

    redis: Redis

    @initialize(n=st.integers(1, 5), tasks=st.integers(1, 3))
    def begin(self, n: int, tasks: int) -> None:
        self.redis.flushall()
        self.wave: Wave = make(self.redis, n, tuple(f"t{i}" for i in range(tasks)))
        self.entities = [Entity([P] * tasks) for _ in range(n)]
        self.returned: list[int] = []
        self.cancelled = False
        self.holds: dict[str, list[Hold]] = {w: [] for w in WORKERS}
        self.last: Call | None = None

    # what workers do

    @rule(worker=st.sampled_from(WORKERS), want=st.integers(1, 4), begin=st.sampled_from([(), (0,), (0, 1)]))
    def claim(self, worker: str, want: int, begin: tuple[int, ...]) -> None:
        begin = begin[: len(self.wave.tasks)]
        claimed = try_claim(self.redis, self.wave, want, worker, begin)
        if self.left == 0:
            assert isinstance(claimed, Closed)
            assert claimed.left == 0
            return
        if self.cancelled:
            for entity in self.entities:
                if entity.place == HELD and entity.lapsed:
                    self._cancel(entity)
                    entity.token += 1
            assert claimed == Closed("cancelled", self.left)
            return
        assert isinstance(claimed, Claimed)
        assert claimed.ids == self._take(want, begin)
        for i, number in enumerate(claimed.ids):
            entity = self.entities[number]
            assert claimed.cells[i] in (None, bytes(entity.cells))
            self.holds[worker].append(Hold(number, claimed.records[i], entity.token))

    def _take(self, want: int, begin: tuple[int, ...]) -> list[int]:
        """Whom a claim must give: those whose lease ran out (by name: they ran out together), those given back, the fresh."""
        expired = sorted((i for i, e in enumerate(self.entities) if e.place == HELD and e.lapsed), key=str)[:1]
        want = 1 if expired else want
        for i in expired:
            entity = self.entities[i]
            if entity.attempts < MOST_ATTEMPTS:  # else it is for the holder to say what became of it
                entity.cells = [P if cell == R else cell for cell in entity.cells]
        back = self.returned[: want - len(expired)]
        self.returned = self.returned[len(back) :]
        fresh = [i for i, e in enumerate(self.entities) if e.place == FRESH][: want - len(expired) - len(back)]
        for i in fresh:
            for task in begin:
                self.entities[i].cells[task] = R
        for i in (*expired, *back, *fresh):
            entity = self.entities[i]
            entity.place, entity.lapsed = HELD, False
            entity.token += 1
            entity.attempts += 1
        return [*expired, *back, *fresh]

    @rule(data=st.data(), aimed=st.sampled_from([True, True, False]), many=st.integers(1, 2), ends=st.booleans())
    def move(self, data: st.DataObject, aimed: bool, many: int, ends: bool) -> None:
        held = [hold for holds in self.holds.values() for hold in holds]
        if not held:
            return
        hold = data.draw(st.sampled_from(held[-4:] if aimed else held))
        task = data.draw(st.integers(0, len(self.wave.tasks) - 1))
        cell = self.entities[hold.entity].cells[task]
        legal = [step for step in sorted(LEGAL) if step[0] == cell or not aimed]
        before, after = data.draw(st.sampled_from(legal or sorted(LEGAL)))
        entities = [e for e in range(hold.entity, hold.entity + many) if e < len(self.entities)]  # a neighbour is not its own
        self.last = Call(
            Moves(
                [(hold.entity, 1, hold.record)],
                [Move(task, before, after, entities[0], len(entities))],
                [(task, hold.entity, b"{}")],
                ends=[(hold.entity, 1)] if ends else [],
            ),
            hold, before, after, task, entities,
        )  # fmt: skip
        self._call(self.last)

    @precondition(lambda self: self.last is not None)
    @rule()
    def repeat(self) -> None:
        """The connection broke, and the client sends the last call again."""
        assert self.last is not None
        self._call(self.last)

    def _call(self, call: Call) -> None:
        moved: Moved = send(self.redis, self.wave, call.moves)
        refused = []
        for number in call.entities:
            entity = self.entities[number]
            mine = number == call.holder.entity and entity.token == call.holder.token
            cell = entity.cells[call.task]
            if (self.cancelled and call.after == R) or not mine or cell not in (call.before, call.after):
                refused.append((call.task, number))
            elif cell == call.before:
                entity.cells[call.task] = call.after
        entity = self.entities[call.holder.entity]
        closed = all(cell in ENDED for cell in entity.cells)
        if call.moves.ends and entity.token == call.holder.token and entity.place == HELD and closed:
            entity.place = DONE
        assert sorted(moved.refused) == sorted(refused)
        assert moved.left == self.left
        assert bool(moved.cancelled) == self.cancelled

    @rule(data=st.data(), worker=st.sampled_from(WORKERS))
    def give_back(self, data: st.DataObject, worker: str) -> None:
        holds = (
            data.draw(st.lists(st.sampled_from(self.holds[worker]), unique_by=lambda h: h.entity)) if self.holds[worker] else []
        )
        holds.sort(key=lambda h: h.entity)
        given = 0
        for hold in holds:
            entity = self.entities[hold.entity]
            if entity.token != hold.token or entity.place != HELD:
                continue
            given += 1
            entity.token += 1
            entity.attempts -= 1
            if self.cancelled:
                self._cancel(entity)
            else:
                entity.cells = [P if cell == R else cell for cell in entity.cells]
                entity.place = BACK
                self.returned.append(hold.entity)
        assert release(self.redis, self.wave, holds_of([h.entity for h in holds], [h.record for h in holds])) == given

    @rule(worker=st.sampled_from(WORKERS))
    def renew(self, worker: str) -> None:
        holds = {h.entity: h for h in self.holds[worker]}
        kept = sorted(holds.values(), key=lambda h: h.entity)
        mine = [self.entities[h.entity] for h in kept if self.entities[h.entity].token == h.token]
        mine = [entity for entity in mine if entity.place == HELD]
        told = renew(self.redis, self.wave, holds_of([h.entity for h in kept], [h.record for h in kept]), 3600.0)
        assert (bool(told.cancelled), told.many) == (self.cancelled, len(mine))
        assert told.lost == {h.entity for h in kept if self.entities[h.entity].token != h.token}
        for entity in mine:
            entity.lapsed = False

    # what happens to them

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        held = [i for i, e in enumerate(self.entities) if e.place == HELD]
        late = data.draw(st.lists(st.sampled_from(held), unique=True)) if held else []
        if late:
            lapse(self.redis, self.wave, *late)
        for i in late:
            self.entities[i].lapsed = True

    @rule()
    def the_server_forgets_its_scripts(self) -> None:
        self.redis.script_flush()

    @precondition(lambda self: not self.cancelled)
    @rule(often=st.integers(0, 5))
    def cancel(self, often: int) -> None:
        if often:  # or nothing else would happen for long
            return
        done = Waves(self.redis).cancel(self.wave, "enough", "ada")
        if self.left == 0:
            assert done is None
            return
        before = sum(cell == C for e in self.entities for cell in e.cells)
        for entity in self.entities:
            if entity.place in (FRESH, BACK):
                self._cancel(entity)
        self.returned = []
        self.cancelled = True
        assert done == (sum(cell == C for e in self.entities for cell in e.cells) - before, self.left)

    @staticmethod
    def _cancel(entity: Entity) -> None:
        entity.cells = [cell if cell in ENDED else C for cell in entity.cells]
        entity.place = DONE

    # what always holds

    @property
    def left(self) -> int:
        return sum(e.place != DONE for e in self.entities)

    @invariant()
    def the_board_is_the_model(self) -> None:
        assert columns(self.redis, self.wave) == [
            "".join(chr(e.cells[t]) for e in self.entities) for t in range(len(self.wave.tasks))
        ]

    @invariant()
    def the_counters_are_a_recount(self) -> None:
        check_counts(self.redis, self.wave)

    @invariant()
    def the_record_says_what_is_left(self) -> None:
        wave = Waves(self.redis).find(self.wave.id)
        assert wave is not None
        assert (wave.left, bool(wave.ended)) == (self.left, self.left == 0)
        assert self.redis.zcard(wave.key("leases")) == sum(e.place == HELD for e in self.entities)
        assert self.redis.llen(wave.key("returned")) == len(self.returned)


def test_any_order_of_events_keeps_the_board_right(redis: "Redis") -> None:
    class OnThisServer(Board):
        pass

    OnThisServer.redis = redis
    run_state_machine_as_test(
        OnThisServer,
        settings=settings(
            max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
        ),
    )


def test_the_machine_s_letters_are_all_there_are() -> None:
    assert {P, R, F, U, O, X, B, C} == set(Cell)
