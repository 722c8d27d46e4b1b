"""What becomes of each request of a drill."""

from probe.core.check import WHOLE_RUN
from probe.core.fault import Drill, Fault, FaultKind
from probe.drill.planter import MOST_BODY, Planter, known_effects, third_parties
from tests.drill.builders import SHOP, asked, data, page

PLACED = data('{"order": "D-1234"}', 201)
KNOWN = (
    asked("pay", "GET /checkout", page("form")),
    asked("pay", "POST /checkout", PLACED),
    asked("pay", "GET /order/D-1234", page("one")),
    asked("pay", "GET /order/D-1234", page("two")),
)


class Walk:
    """A run in which one may go from step to step."""

    def __init__(self, drill: Drill) -> None:
        self.step: str | None = None
        self.planter = Planter(drill=drill, step=lambda: self.step, own=lambda url: url.startswith(SHOP))

    def ask(self, step: str | None, what: str) -> str:
        """`pass`, `fault`, `stray`, or what is replayed."""
        self.step = step
        method, _, path = what.partition(" ")
        ruling = self.planter.rule(method, SHOP + path if path.startswith("/") else f"https://{path}")
        if ruling.passes:
            return "pass"
        if ruling.strayed:
            return "stray"
        words = ["fault"] if ruling.fault else []
        return " ".join(words + ([ruling.replay.body.decode()] if ruling.replay else []))


def fault(kind: FaultKind, step: str, what: str) -> Fault:
    method, _, path = what.partition(" ")
    return Fault(kind=kind, step=step, method=method, place=SHOP + path)


def test_only_the_planted_request_is_met() -> None:
    """And how many were is told."""
    walk = Walk(Drill(fault=fault(FaultKind.REFUSED, "view", "GET /a")))
    said = [walk.ask(s, w) for s, w in [("view", "GET /a"), ("view", "GET /b"), ("pay", "GET /a"), ("view", "GET /a")]]
    assert said == ["fault", "pass", "pass", "fault"]
    assert walk.planter.notes().hits == 2


def test_from_the_first_effect_on_the_shop_is_left_alone() -> None:
    """The order's request and what shows it are given from memory; what is before it, and other hosts, are asked."""
    walk = Walk(Drill(effects="pay", known=KNOWN))
    assert walk.ask("view", "POST /api/cart") == "pass"
    assert walk.ask("pay", "GET /checkout") == "pass"
    assert walk.ask("pay", "POST /checkout") == PLACED.body.decode()
    assert [walk.ask("pay", "GET /order/D-9999") for _ in range(3)] == ["one", "two", "two"]
    assert walk.ask("pay", "POST pay.example/x") == "pass"
    assert walk.ask("pay", "GET /new") == "pass"
    assert walk.ask(None, "POST /new") == "stray"
    walk.planter.undoing = True
    assert walk.ask(None, "DELETE /api/orders/D-1234") == "", "the clean-up has nothing to clean up"
    assert walk.planter.notes().strayed == (f"POST {SHOP}/new",)


def test_a_fault_on_the_order_itself() -> None:
    """One that replaces the answer needs none; one that only spoils or delays it gets it from memory."""
    gone = Walk(Drill(fault=fault(FaultKind.REFUSED, "pay", "POST /checkout"), effects="pay"))
    assert gone.ask("pay", "POST /checkout") == "fault"
    slow = fault(FaultKind.SLOW, "pay", "POST /checkout")
    assert Walk(Drill(fault=slow, effects="pay", known=KNOWN)).ask("pay", "POST /checkout").startswith("fault {")
    assert Walk(Drill(fault=slow, effects="pay")).ask("pay", "POST /checkout") == "stray"


def test_a_whole_run_with_effects() -> None:
    """From its first request on."""
    walk = Walk(Drill(effects=WHOLE_RUN, known=(asked(None, "POST /orders", PLACED, "http"),)))
    assert walk.ask(None, "POST /orders") == PLACED.body.decode()


def test_notes_of_a_clean_run() -> None:
    """Everything passes and is noted, the clean-up apart; a large answer without its body."""
    walk = Walk(Drill(record=True, effects="pay"))
    assert walk.ask("pay", "POST /checkout") == "pass"
    large = page("x" * (MOST_BODY + 1))
    walk.planter.note("pay", "POST", f"{SHOP}/checkout", "document", large)
    walk.planter.undoing = True
    walk.planter.note(None, "DELETE", f"{SHOP}/orders/1", "http", None)
    first, last = walk.planter.notes().asked
    assert first.answer is not None
    assert (first.own, first.undo, first.answer.body, first.answer.headers) == (True, False, b"", large.headers)
    assert (last.undo, last.answer) == (True, None)
    quiet = Walk(Drill())
    quiet.planter.note(None, "GET", SHOP, "http", None)
    assert quiet.planter.notes().asked == ()


def test_what_is_known_of_effects() -> None:
    """The shop's own requests from that step on; third parties by host."""
    walk = (asked("view", "GET /", page("x")), asked("pay", "POST /c", PLACED), asked(None, "GET cdn.example/a", None))
    assert known_effects(walk, "pay") == (walk[1],)
    assert known_effects(walk, WHOLE_RUN) == walk[:2]
    assert known_effects(walk, None) == known_effects(walk, "other") == ()
    assert third_parties(walk) == {"cdn.example": [walk[2]]}
