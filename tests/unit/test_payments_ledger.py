"""The rules of money: whatever order reports arrive in, the books say the same, and every cent is told once."""

import itertools
import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from payments import ledger
from payments.ledger import Fact, attempt, capture, chargeback, decide, fold, refund, refundable_of, settled

PAYMENT = {"payment_id": "p", "order_id": "o", "currency": "EUR", "amount": 5000, "status": "open"}
PAYMENT |= {"provider": "stripe", "method": "online"}


def taken(amount: int = 5000, of: str = "pi", currency: str = "EUR", **more: Any) -> Fact:
    return capture(of, of, "succeeded", 100, amount, currency, **more)


def given_back(status: str, name: str = "re_1", amount: int = 2000) -> Fact:
    return refund(name, "pi", status, 200, amount, "EUR")


class Books:
    """What the store keeps, without a store."""

    def __init__(self, payment: dict[str, Any] = PAYMENT) -> None:
        self.payment, self.facts = dict(payment), dict[Any, Fact]()
        self.told: list[str] = []
        self.entries: list[tuple[str, int]] = []

    def hear(self, *reported: Fact) -> "Books":
        change = decide(self.payment, list(self.facts.values()), reported)
        if change:
            self.facts |= {fact.key: fact for fact in change.facts}
            self.payment |= change.balance.as_map()
            self.told += [kind for kind, data in change.events if not data.get("again")]
            self.entries += [(entry.kind, entry.amount) for entry in change.entries]
        return self

    @property
    def end(self) -> tuple[Any, ...]:
        names = ("status", "captured", "refunded", "refund_pending", "charged_back", "authorized")
        return (*(self.payment.get(name, 0) for name in names), sum(amount for _, amount in self.entries))


STORIES: dict[str, list[Fact]] = {
    "declined, then paid, refunded twice, one of them failing": [
        attempt("pi", "failed", 90, "EUR"),
        taken(),
        given_back("requested"),
        given_back("pending"),
        given_back("succeeded"),
        given_back("requested", "re_2", 500),
        given_back("failed", "re_2", 500),
    ],
    "a refund that succeeded and then failed": [
        attempt("pi", "pending", 90, "EUR"),
        taken(),
        given_back("requested"),
        given_back("succeeded"),
        given_back("failed"),
    ],
    "a dispute that is won": [
        taken(),
        *(chargeback("du", "pi", status, 300, 5000, "EUR") for status in ("opened", "withdrawn", "won", "reinstated")),
    ],
    "a dispute that is lost, after a part was refunded": [
        taken(),
        given_back("succeeded"),
        *(chargeback("du", "pi", status, 300, 3000, "EUR") for status in ("opened", "withdrawn", "lost")),
    ],
    "held, taken in two parts": [
        attempt("tr", "pending", 80, "EUR"),
        attempt("tr", "authorized", 90, "EUR", 5000),
        capture("cpt_1", "tr", "pending", 91, 3000, "EUR", last=False),
        capture("cpt_1", "tr", "succeeded", 91, 3000, "EUR", last=False),
        capture("cpt_2", "tr", "failed", 92, 2000, "EUR", last=False),
        capture("cpt_3", "tr", "succeeded", 93, 1500, "EUR", last=False),
    ],
    "held and let go": [attempt("pi", "authorized", 90, "EUR", 5000), attempt("pi", "canceled", 95, "EUR")],
    "a late capture after it was given up": [
        attempt("pi", "failed", 80, "EUR"),
        attempt("pi", "canceled", 95, "EUR"),
        taken(),
    ],
}
ENDS = {
    "declined, then paid, refunded twice, one of them failing": ("captured", 5000, 2000, 0, 0, 0, 3000),
    "a refund that succeeded and then failed": ("captured", 5000, 0, 0, 0, 0, 5000),
    "a dispute that is won": ("captured", 5000, 0, 0, 0, 0, 5000),
    "a dispute that is lost, after a part was refunded": ("captured", 5000, 2000, 0, 3000, 0, 0),
    "held, taken in two parts": ("captured", 4500, 0, 0, 0, 500, 4500),
    "held and let go": ("canceled", 0, 0, 0, 0, 0, 0),
    "a late capture after it was given up": ("captured", 5000, 0, 0, 0, 0, 5000),
}


@pytest.mark.parametrize("story", STORIES)
def test_every_order_of_arrival_ends_in_the_same_books(story: str) -> None:
    for told in _orders(STORIES[story]):
        assert _tell(told).end == ENDS[story], [f"{fact.key} {fact.status}" for fact in told]


@pytest.mark.parametrize("story", STORIES)
def test_repeats_anywhere_change_nothing(story: str) -> None:
    rng = random.Random(7)
    for _ in range(300):
        told = STORIES[story] + rng.choices(STORIES[story], k=6)
        rng.shuffle(told)
        books = Books()
        for fact in told:
            books.hear(fact).hear(fact)
        assert books.end == ENDS[story]


@pytest.mark.parametrize("story", STORIES)
def test_money_is_told_once_in_whatever_order(story: str) -> None:
    once = ("payment.captured", "payment.chargeback_opened", "payment.chargeback_closed")
    kinds = {fact.kind for fact in STORIES[story]}
    for told in _orders(STORIES[story]):
        events = _tell(told).told
        for kind in once:
            most = sum(f.kind == "capture" and f.status == "succeeded" for f in told) if kind == once[0] else 1
            assert events.count(kind) <= most
        if "chargeback" in kinds:
            assert events.count("payment.chargeback_opened") == events.count("payment.chargeback_closed") == 1


def test_all_at_once_says_the_same_as_one_by_one() -> None:
    for story, facts in STORIES.items():
        assert Books().hear(*facts).end == ENDS[story]


def test_assigning_the_latest_status_would_not_converge() -> None:
    """The mistake these rules exist for: keep whatever was reported last."""
    ends = set()
    for told in itertools.permutations(STORIES["a refund that succeeded and then failed"]):
        latest = {fact.key: fact for fact in told}
        ends.add(fold(latest.values(), "EUR", "open"))
    assert len(ends) > 1


def test_one_event_for_each_meaning_in_the_order_of_money() -> None:
    books = Books().hear(taken(), given_back("succeeded"), chargeback("du", "pi", "withdrawn", 300, 1000, "EUR"))
    assert books.told == ["payment.captured", "payment.refunded", "payment.chargeback_opened"]


def test_less_than_asked_is_a_part_payment() -> None:
    books = Books().hear(taken(3000))
    assert books.told == ["payment.captured"]
    assert books.payment["captured"] == 3000


def test_more_than_asked_counts_and_is_told() -> None:
    assert Books().hear(taken(6000)).told == ["payment.captured", "payment.amount_mismatch"]


def test_money_in_another_currency_never_counts_as_ours() -> None:
    books = Books().hear(taken(currency="USD"))
    assert books.told == ["payment.amount_mismatch"]
    assert books.payment["captured"] == 0
    assert books.entries == [("capture", 5000)], "but the ledger has it, in its own currency"


def test_a_second_part_adds_only_what_is_new() -> None:
    books = Books().hear(taken(3000, last=False)).hear(taken(5000))
    assert books.entries == [("capture", 3000), ("capture", 2000)]
    assert books.told == ["payment.captured", "payment.captured"]


def test_what_is_asked_back_is_gone_from_what_may_be_asked_back() -> None:
    books = Books().hear(taken(), given_back("requested", amount=4000))
    balance = fold(list(books.facts.values()), "EUR", "open")
    assert balance.refundable == 1000
    assert refundable_of(books.facts.values(), "pi") == 1000
    assert refundable_of(books.facts.values(), "another") == 0


def test_what_was_charged_back_cannot_be_refunded_as_well() -> None:
    books = Books().hear(taken(), chargeback("du", "pi", "withdrawn", 300, 5000, "EUR"))
    assert fold(list(books.facts.values()), "EUR", "open").refundable == 0


def test_a_new_report_keeps_what_the_request_said() -> None:
    asked = refund("r", "pi", "requested", 1, 500, "EUR", reason="returned", by="staff:anna")
    books = Books().hear(taken(), asked).hear(refund("r", "pi", "succeeded", 2, 500, "EUR", ref="re_9"))
    assert books.facts["refund", "r"].more == {"reason": "returned", "by": "staff:anna", "ref": "re_9"}


@pytest.mark.parametrize(
    ("facts", "changes", "done"),
    [
        ([taken()], {}, True),
        ([taken(), given_back("requested")], {}, False),
        ([taken(), given_back("succeeded")], {}, True),
        ([attempt("pi", "failed", 1, "EUR")], {}, False),
        ([attempt("tr", "failed", 1, "EUR")], {"provider": "mollie"}, True),
        ([attempt("tr", "expired", 1, "EUR")], {"provider": "mollie", "method": "link"}, False),
        ([attempt("pl", "canceled", 1, "EUR")], {"provider": "mollie", "method": "link"}, True),
        ([attempt("pi", "authorized", 1, "EUR", 5000)], {}, False),
        ([capture("c", "tr", "pending", 1, 5000, "EUR")], {"provider": "mollie"}, False),
        ([], {}, False),
        ([], {"provider": "cash"}, True),
    ],
)
def test_somebody_looks_as_long_as_something_is_open(facts: list[Fact], changes: dict[str, str], done: bool) -> None:
    payment = PAYMENT | changes
    assert settled(payment, fold(facts, "EUR", "open")) is done


def _orders(facts: list[Fact], most: int = 720) -> Iterable[list[Fact]]:
    if len(facts) <= 6:
        return (list(each) for each in itertools.permutations(facts))
    rng = random.Random(3)
    shuffle: Callable[[], list[Fact]] = lambda: rng.sample(facts, len(facts))  # noqa: E731
    return (shuffle() for _ in range(most))


def _tell(told: Iterable[Fact]) -> Books:
    books = Books()
    for fact in told:
        books.hear(fact)
    return books


def test_the_ranks_of_one_kind_differ() -> None:
    tables = (ledger._REFUND, ledger._CHARGEBACK, ledger._CAPTURE, ledger._BY_TIME, ledger._ENDED)
    for table in (*tables, ledger._CAPTURE_REQUEST):
        assert len(set(table.values())) == len(table)


@pytest.mark.parametrize("status", ["pending", "succeeded", "failed"])
def test_our_guess_about_a_refund_ranks_below_every_word_of_the_provider(status: str) -> None:
    asked = given_back("requested")
    guess, word = ledger.refused(asked, 999, "charge_already_refunded"), given_back(status)
    for told in itertools.permutations((asked, guess, word)):
        assert Books().hear(taken(), *told).end == Books().hear(taken(), word).end


def test_our_guess_frees_what_was_reserved_until_the_provider_says_otherwise() -> None:
    asked = given_back("requested")
    books = Books().hear(taken(), asked).hear(ledger.refused(asked, 999, "charge_disputed"))
    assert (books.payment["refund_pending"], books.told[-1]) == (0, "payment.refund_failed")
    books.hear(given_back("succeeded"))
    assert (books.payment["refunded"], books.told[-1]) == (2000, "payment.refunded")


def test_what_captures_were_asked_for_cannot_be_taken_again() -> None:
    held = attempt("tr", "authorized", 90, "EUR", 5000)
    asked = ledger.capture_request("ours", "tr", "requested", 91, 3000, "EUR")
    done = ledger.capture_request("ours", "tr", "done", 92, 3000, "EUR")

    def left(*facts: Fact) -> tuple[int, int]:
        balance = fold(list({fact.key: fact for fact in facts}.values()), "EUR", "open")
        return balance.authorized, balance.capturable

    pending = capture("cpt", "tr", "pending", 92, 3000, "EUR", last=False)
    assert left(held) == (5000, 5000)
    assert left(held, asked) == (5000, 2000)
    assert left(held, asked, done, pending) == (5000, 2000)
    assert left(held, asked, ledger.refused(asked, 99, "not_done")) == (5000, 5000)
    assert left(held, done, capture("cpt", "tr", "succeeded", 92, 3000, "EUR", last=False)) == (2000, 2000)


def test_a_fee_is_in_the_ledger_and_changes_no_balance() -> None:
    books = Books().hear(taken(), ledger.fee("txn", "pi", 300, 1500, "EUR"))
    assert books.entries == [("capture", 5000), ("fee", -1500)]
    assert (books.payment["captured"], books.payment["charged_back"]) == (5000, 0)
    assert refundable_of(books.facts.values(), "pi") == 5000
    assert books.hear(ledger.fee("txn_2", "pi", 400, -1500, "EUR")).entries[-1] == ("fee_reversed", 1500)


def test_money_in_another_currency_is_counted_apart() -> None:
    books = Books().hear(ledger.capture("pi", "pi", "succeeded", 100, 5432, "USD"))
    assert (books.payment["captured"], books.payment["status"]) == (0, "foreign")
    balance = fold(list(books.facts.values()), "EUR", "open")
    assert (balance.held, balance.refundable) == ({"USD": 5432}, 0)
    assert not ledger.settled({"provider": "stripe", "method": "online"}, balance)
    # Euros beside it count as ever, and each goes back on its own.
    both = fold([*books.facts.values(), taken()], "EUR", "open")
    assert (both.captured, both.status, both.held) == (5000, "captured", {"USD": 5432})
    gone = [*books.facts.values(), ledger.refund("r", "pi", "succeeded", 200, 5432, "USD")]
    balance = fold(gone, "EUR", "open")
    assert (balance.status, balance.held) == ("refunded", {})
    assert ledger.settled({"provider": "stripe", "method": "online"}, balance)
