"""Payments under faults and concurrency: every fault at every call, every order of two requests, planted mistakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from commerce import clock, writes
from payments import books, capturing, ledger, naming, recording, refusals
from tests.journey.payments_shop import PAGE, Till, open_till
from tests.world import World
from tests.world.doctor_hook import diagnosis, left_over
from tests.world.explore import explore
from tests.world.interleave import interleave

Actor = Callable[[World], Any]
PAID = "8d6a5c3e-0000-5000-8000-000000000000"


def sound(world: World) -> list[str]:
    """The doctor's view, but that there is no order behind the payable: checkout takes no part here."""
    return left_over(world) + [found for found in diagnosis(world) if not found.startswith("I3")]


# ------------------------------------------------------------------------------------------------- every fault


def later(world: World) -> None:
    """The clock comes round until nothing is open; lost answers are asked for."""
    world.advance(400, tick=130)


def pay_by_card(world: World) -> None:
    with world.calm():
        till = open_till(world)
    answer = till.start()
    assert answer.status == 201, answer
    with world.calm():
        payment = till.payment(answer.json["payment_id"])
        world.providers["stripe"].door("pay", id=payment["provider_ref"])
    world.settle()
    later(world)
    assert till.payment(answer.json["payment_id"])["status"] == "captured"
    assert till.ledger() == [("capture", 5000)]


def pay_at_mollie(world: World) -> None:
    with world.calm():
        till = open_till(world)
    answer = till.start(provider="mollie", return_url=PAGE)
    assert answer.status == 201, answer
    with world.calm():
        payment = till.payment(answer.json["payment_id"])
        world.providers["mollie"].door("pay", id=payment["provider_ref"])
    world.settle()
    later(world)
    assert till.payment(answer.json["payment_id"])["status"] == "captured"
    assert till.ledger() == [("capture", 5000)]


def pay_in_cash(world: World) -> None:
    with world.calm():
        till = open_till(world)
    answer = till.start(till.staff, provider="cash", method="cash")
    assert answer.status == 201, answer
    world.settle()
    assert till.ledger() == [("capture", 5000)]


def give_back(world: World) -> None:
    with world.calm():
        till = open_till(world)
        payment_id = till.paid()
    assert till.refund(payment_id, 2000).status == 201
    world.settle()
    later(world)
    assert till.payment(payment_id)["refunded"] == 2000
    assert till.ledger() == [("capture", 5000), ("refund", -2000)]


def order_gives_back(world: World) -> None:
    with world.calm():
        till = open_till(world)
        payment_id = till.paid()
    till.order_event("order.refund_due", "order/x@3", [{"payment_id": payment_id, "amount": 5000}])
    world.settle()
    with world.calm():
        later(world)
    assert till.payment(payment_id)["refunded"] == 5000


def take_what_is_held(world: World) -> None:
    with world.calm():
        till = open_till(world)
        payment_id = till.start(capture="manual").json["payment_id"]
        world.providers["stripe"].door("pay", id=till.payment(payment_id)["provider_ref"])
        world.settle()
    assert till.capture(payment_id, 3000).status == 201
    world.settle()
    later(world)
    assert till.payment(payment_id)["captured"] == 3000


def cash_closes_a_page(world: World) -> None:
    with world.calm():
        till = open_till(world)
        page = till.start(return_url=PAGE).json["payment_id"]
    answer = till.start(till.staff, provider="cash", method="cash")
    assert answer.status == 201, answer
    world.settle()
    later(world)
    assert till.payment(page)["status"] == "expired"
    assert till.ledger() == [("capture", 5000)]


def cash_is_paid_out(world: World) -> None:
    with world.calm():
        till = open_till(world)
        payment_id = till.start(till.staff, provider="cash", method="cash").json["payment_id"]
        assert till.refund(payment_id, 2000).status == 201
    assert till.pay_out(payment_id, drawer_id="drawer-1").status == 200
    world.settle()
    assert till.ledger() == [("capture", 5000), ("refund", -2000)]


def another_currency_goes_back(world: World) -> None:
    with world.calm():
        till = open_till(world)
        payment_id = till.start(provider="mollie", return_url=PAGE).json["payment_id"]
        reference = till.payment(payment_id)["provider_ref"]
        made = world.providers["mollie"].standin.account.objects["payment"][reference]
        made |= {"_amount": 5432, "_currency": "USD"}
        world.providers["mollie"].door("pay", id=reference)
        world.settle()
        till.close()
        till.order_event("order.expired", "order/x@3")
    world.settle()
    later(world)
    with world.calm():
        later(world)
    assert till.payment(payment_id)["foreign"]["USD"]["refunded"] == 5432
    assert till.ledger() == [("capture", 5432), ("refund", -5432)]


def a_clerk_insists(world: World) -> None:
    """Whoever is told that a refund failed asks for another one. What the provider gave back is what we say."""
    with world.calm():
        till = open_till(world)
        payment_id = till.paid("mollie")
    if till.refund(payment_id, 3000, key="first").status != 201:
        till.refund(payment_id, 2000, key="second")
    world.settle()
    later(world)
    assert sum(refunds_at_mollie(world)) == till.payment(payment_id)["refunded"] <= 3000


def refunds_at_mollie(world: World) -> list[int]:
    return [each["_amount"] for each in world.providers["mollie"].standin.account.objects["refund"].values()]


def capture_again_much_later(world: World) -> None:
    """The same request comes again when Mollie has long forgotten its key."""
    with world.calm():
        till = open_till(world)
        payment_id = till.start(provider="mollie", return_url=PAGE, capture="manual").json["payment_id"]
        world.providers["mollie"].door("pay", id=till.payment(payment_id)["provider_ref"])
        world.settle()
    till.capture(payment_id, 2000, key="c")
    world.settle()
    with world.calm():
        world.advance(4000, tick=400)
        assert till.capture(payment_id, 2000, key="c").status == 201
        world.advance(130, tick=65)
    taken = [each["_amount"] for each in world.providers["mollie"].standin.account.objects["capture"].values()]
    assert (taken, till.payment(payment_id)["captured"]) == ([2000], 2000)


JOURNEYS = [
    pay_by_card,
    pay_at_mollie,
    pay_in_cash,
    give_back,
    order_gives_back,
    take_what_is_held,
    cash_closes_a_page,
    cash_is_paid_out,
    another_currency_goes_back,
    capture_again_much_later,
]


@pytest.mark.parametrize("journey", JOURNEYS)
def test_whatever_goes_wrong_once(journey: Callable[[World], None], request: pytest.FixtureRequest) -> None:
    """A fixed fifth of the faults; `make explore` takes them all."""
    part = {"slice": (0, 5)} if request.config.getoption("--explore") == "part" else {}
    found = explore(journey, oracle=sound, **part)
    assert not found.failures, str(found)
    assert found.points > (2 if part else 10)


# ------------------------------------------------------------------------------------------------- every order


def known_issuer(world: World) -> None:
    """Actors share a process: while one asks the issuer for its keys, the other would wait for that in vain."""
    till = open_till(world)
    assert till.world.call("GET", "/me/orders", till.world.token("customer")).status == 200


def paid_order(world: World) -> None:
    """Paid under a key that says its payment's id, so that actors of other branches find it."""
    open_till(world).paid(key=PAID)


def refunds(amount: int, key: str) -> Actor:
    def act(world: World) -> None:
        Till(world).refund(the_payment(world)["payment_id"], amount, key=key)

    return act


def starts(key: str) -> Actor:
    return lambda world: Till(world).start(key=key)


def the_payment(world: World) -> dict[str, Any]:
    (found,) = [each for each in world.items("PaymentsTable") if each["pk"].startswith("P#") and each["sk"] == "-"]
    return found


def refunded(amounts: list[int]) -> Callable[[World], list[str]]:
    def check(world: World) -> list[str]:
        world.settle()
        world.advance(130, tick=65)
        made = [each["amount"] for each in world.providers["stripe"].standin.account.objects["refund"].values()]
        kept = the_payment(world)["refunded"]
        wrong = [] if (made, kept) == (amounts, sum(amounts)) else [f"Stripe gave back {made}, we say {kept}"]
        return wrong + sound(world)

    return check


def asked_for_once(payments: int) -> Callable[[World], list[str]]:
    def check(world: World) -> list[str]:
        world.settle()
        items = [each for each in world.items("PaymentsTable") if each["pk"].startswith("P#") and each["sk"] == "-"]
        asked = sum(each["amount"] for each in items if not each.get("superseded"))
        intents = len(world.providers["stripe"].standin.account.objects["payment_intent"])
        wrong = [] if (asked, intents) == (5000, payments) else [f"{asked} asked for, by {intents} PaymentIntents"]
        return wrong + sound(world)

    return check


@pytest.mark.parametrize(
    ("actors", "ends"),
    [
        ([refunds(3000, "a"), refunds(3000, "b")], [3000]),
        ([refunds(3000, "a"), refunds(3000, "a")], [3000]),
        ([refunds(2000, "a"), refunds(2000, "b")], [2000, 2000]),
    ],
    ids=["more than there is", "the same request", "both fit"],
)
def test_two_refunds_in_any_order(actors: list[Actor], ends: list[int]) -> None:
    found = interleave(paid_order, actors, refunded(ends), switches=2)
    assert not found.failures, str(found)


def test_two_attempts_at_once_never_ask_for_more_than_is_open() -> None:
    found = interleave(known_issuer, [starts("a"), starts("b")], asked_for_once(2), switches=1)
    assert not found.failures, str(found)


def test_one_request_sent_twice_at_once_is_one_payment() -> None:
    found = interleave(known_issuer, [starts("a"), starts("a")], asked_for_once(1), switches=1)
    assert not found.failures, str(found)


# ------------------------------------------------------------------------------------------------- planted mistakes


def test_balances_not_bound_to_what_was_read_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = books._next_version

    def unbound(*given: Any) -> writes.Write:
        write = right(*given)
        request = write.request | {"ConditionExpression": "attribute_exists(pk) AND :seen = :seen"}
        return replace(write, request=request)

    monkeypatch.setattr(books, "_next_version", unbound)
    assert interleave(paid_order, [refunds(3000, "a"), refunds(3000, "b")], refunded([3000]), switches=2).failures


def _final(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any 4xx is taken for a no, and nobody looks again."""
    monkeypatch.setattr(refusals, "mollie", lambda operation, status, answer: "no" if 400 <= status < 500 else None)
    alone = lambda payment, asked, code: [ledger.refused(asked, int(clock.source()), code)]  # noqa: E731
    monkeypatch.setattr(recording, "after_refusal", alone)


def hunted(journey: Callable[[World], None]) -> list[str]:
    """What the hunt finds wrong at the calls to Mollie."""
    found = explore(journey, where=lambda call: call.kind == "http" and call.writes, oracle=sound)
    return [str(failure) for failure in found.failures]


def test_a_final_4xx_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not hunted(a_clerk_insists)
    _final(monkeypatch)
    assert "conflicted" in "".join(hunted(a_clerk_insists))


def test_a_guess_of_ours_above_the_provider_s_word_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _final(monkeypatch)
    monkeypatch.setattr(ledger, "_REFUND", ledger._REFUND | {"refused": 9})
    assert "conflicted" in "".join(hunted(give_back_at_mollie))
    monkeypatch.undo()
    assert not hunted(give_back_at_mollie)


def give_back_at_mollie(world: World) -> None:
    """One refund, whatever its clerk is told about it."""
    with world.calm():
        till = open_till(world)
        payment_id = till.paid("mollie")
    till.refund(payment_id, 2000)
    world.settle()
    later(world)
    assert sum(refunds_at_mollie(world)) == till.payment(payment_id)["refunded"]


def test_a_capture_without_a_record_of_its_own_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider is asked every time, under the same key."""

    def capture(kept: books.Kept, amount: int, request: Any) -> capturing.Captured:
        (held,) = [fact for fact in kept.facts if fact.status == "authorized"]
        name = naming.of_request(request)
        asked = ledger.capture_request(name, held.of, "requested", int(clock.source()), amount, "EUR")
        return capturing.carry_out(kept.payment, asked)

    monkeypatch.setattr(capturing, "capture", capture)
    assert hunted(capture_again_much_later)
    monkeypatch.undo()
    assert not hunted(capture_again_much_later)


def test_a_new_name_for_every_try_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from commerce import ids

    monkeypatch.setattr(naming, "of_request", lambda request, *payment: ids.new())
    assert interleave(open_till, [starts("a"), starts("a")], asked_for_once(1), switches=1).failures
