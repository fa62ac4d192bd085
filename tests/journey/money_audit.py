"""The end of a story: everything that broke works again, people finish what they began, time passes, and the books are
compared."""

from __future__ import annotations

from collections import Counter

from tests.journey import money_spec as spec
from tests.journey.money_outside import ONLINE
from tests.journey.money_shop import Shop, refunds_shown
from tests.journey.money_spec import Order, Tender
from tests.world.doctor_hook import violations

QUIET = ((180, 60), (1200, 400), (7200, 2400), (86400, 28800), (9 * 86400, 3 * 86400), (7200, 3600))
"""How time passes until nothing moves: pages expire within the hour, lost webhooks are looked for within the day, held
money is let go after a week."""
_TRIES = 6


def calm_down(shop: Shop) -> None:
    """Faults end, clients that got no answer ask again, time passes, and the till hands out the cash it owes."""
    shop.outside.no_more()
    shop.world.settle()
    for _ in range(_TRIES):
        hungry = [sent for sent in shop.sent if not sent.answered]
        for sent in hungry:
            shop.send(sent)
        shop.world.settle()
        shop.look()
        if hungry:
            shop.world.advance(65)
    assert not hungry, f"never answered: {hungry}"
    for seconds, tick in QUIET:
        shop.world.advance(seconds, tick)
        shop.look()
        for tender, refund_id, amount in shop.cash_to_pay_out():
            shop.pay_out(tender, refund_id, amount)
        shop.world.settle()
    shop.world.pump.paused.clear()
    for _ in range(3):
        shop.world.advance(65)


def check(shop: Shop) -> None:
    """Everything that must be true once all is quiet, told together."""
    wrong = [*_payments(shop), *_orders(shop), *_ledger(shop), *violations(shop.world), *_nothing_payable(shop)]
    assert not wrong, "\n".join(wrong)


def _payments(shop: Shop) -> list[str]:
    wrong, all_figures = [], shop.figures()
    for tender in shop.paper.tenders.values():
        figures, view = all_figures[tender.payment_id], shop.shown(tender)
        about = f"{tender.provider} {tender.method} {tender.payment_id}"
        wrong += [f"{about}: {each}" for each in spec.never(figures) + spec.taken(tender, figures)]
        theirs = {"captured": figures.captured, "refunded": figures.refunded, "refund_pending": figures.going}
        theirs |= {"charged_back": figures.charged_back}
        ours = {name: view[name]["amount"] for name in theirs}
        wrong += [f"{about}: we say {ours}, where the money is it is {theirs}"] if ours != theirs else []
        wrong += [f"{about}: {figures.going} is still on its way"] if figures.going else []
        for wish in shop.paper.wishes:
            if wish.payment_id == tender.payment_id:
                wrong += [
                    f"{about}: {each}"
                    for each in spec.asked_back(wish, figures, refunds_shown(view), tender.stirred)
                ]  # fmt: skip
    for provider in ONLINE:
        for ours, figures in shop.outside.figures(provider).items():
            if ours not in shop.paper.tenders and figures.captured:
                wrong.append(f"{provider} took {figures.captured} that nobody here knows of")
    return wrong


def _orders(shop: Shop) -> list[str]:
    wrong, figures, owed = [], shop.figures(), shop.owed()
    for order in shop.paper.orders.values():
        tenders = shop.paper.tenders_of(order.order_id)
        view = shop.order(order)
        short = (view.get("short") or {}).get("amount", 0)
        said = spec.Said(view["state"], short, sum(owed.get(each.payment_id, 0) for each in tenders))
        of_order = [figures[each.payment_id] for each in tenders]
        wrong += spec.kept(order, said, of_order, _asked_by_persons(shop, tenders), tenders)
        if order.ended and said.state != "cancelled":
            wrong.append(f"{order.order_id} was cancelled, and is {said.state}")
        if order.fulfilled and said.state != "fulfilled":
            wrong.append(f"{order.order_id} was handed over, and is {said.state}")
    return wrong


def _asked_by_persons(shop: Shop, tenders: list[Tender]) -> set[str]:
    reasons = {wish.reason for wish in shop.paper.wishes}
    shown = [refunds_shown(shop.shown(each))["reason"] for each in tenders]
    return {name for each in shown for name, reason in each.items() if reason in reasons}


def _ledger(shop: Shop) -> list[str]:
    """The entries of each payment add up to what its provider's books, or its drawer, keep of it."""
    booked: Counter[str] = Counter()
    for item in shop.world.items("PaymentsTable"):
        if item["pk"].startswith("LEDGER#") and not item["kind"].startswith("fee"):
            booked[item["payment_id"]] += item["amount"]
    really = {name: each.captured - each.refunded - each.charged_back for name, each in shop.figures().items()}
    return [
        f"the ledger keeps {booked[name]} of {name}, really it is {kept}"
        for name, kept in really.items()
        if booked[name] != kept
    ]


def _nothing_payable(shop: Shop) -> list[str]:
    """An order that is over, or keeps all it should, can be paid in no way: anew or on a page left open."""
    wrong = []
    for order in shop.paper.orders.values():
        if shop.order(order).get("short"):
            continue  # what is missing may be paid again
        for tender in shop.paper.tenders_of(order.order_id):
            if tender.provider != "cash" and shop.outside.payable(tender.provider, shop.ref(tender)):
                wrong.append(f"{tender.provider} {tender.payment_id} can still be paid")
        wrong += _new_payment(shop, order)
    return wrong


def _new_payment(shop: Shop, order: Order) -> list[str]:
    path, body = f"/orders/{order.order_id}/payments", {"provider": "cash", "method": "cash"}
    answer = shop.world.call("POST", path, shop.till(), json=body, key=shop.name("too-late"))
    return [] if answer.status == 409 else [f"{order.order_id} takes cash although it is over: {answer}"]
