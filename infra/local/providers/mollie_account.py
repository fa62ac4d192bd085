"""The inside of a Mollie test profile: objects, amounts, errors, HAL replies and classic webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

from .outbox import Delivery, Outbox
from .wire import Clock, Ids, Json, Timers, iso, words

#: kind of object -> prefix of its ids
PREFIXES = {
    "payment": "tr",
    "refund": "re",
    "capture": "cpt",
    "chargeback": "chb",
    "payment-link": "pl",
    "terminal": "term",
}
PLURALS = {kind: f"{kind}s" for kind in PREFIXES}

# ten attempts in about 26 hours; Mollie publishes the two ends, the steps between are ours
BACKOFF = (60, 120, 240, 480, 960, 1800, 3600, 10800, 75600)

CURRENCIES = words(
    "AED AUD BGN BRL CAD CHF CZK DKK EUR GBP HKD HUF ILS ISK JPY MXN MYR NOK NZD PHP PLN RON RUB SEK SGD THB TWD USD"
    " ZAR"
)
_NO_DECIMALS = {"ISK", "JPY"}


class MollieError(Exception):
    """An API error, with the request field that caused it if one did."""

    def __init__(self, status: int, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        titles = {
            401: "Unauthorized Request",
            404: "Not Found",
            405: "Method not allowed",
            409: "Conflict",
            422: "Unprocessable Entity",
        }
        title = titles.get(status, "Bad Request" if status < 500 else "Internal Server Error")
        self.content: Json = {"status": status, "title": title, "detail": detail}
        if field:
            self.content["field"] = field
        self.content["_links"] = {
            "documentation": {"href": "https://docs.mollie.com/overview/handling-errors", "type": "text/html"}
        }


def decimals(currency: str) -> int:
    return 0 if currency in _NO_DECIMALS else 2


def read_amount(given: Any, field: str = "amount") -> tuple[int, str]:
    """``{"currency": "EUR", "value": "10.00"}`` as ``(1000, "EUR")``; anything less exact is refused."""
    if not isinstance(given, dict):
        raise MollieError(422, f"The {field} is required for payments", field)
    currency, value = given.get("currency"), given.get("value")
    if not isinstance(currency, str) or currency not in CURRENCIES:
        raise MollieError(422, "The currency is not supported", f"{field}.currency")
    places = decimals(currency)
    pattern = r"(0|[1-9]\d{0,8})" + (rf"\.\d{{{places}}}" if places else "")
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise MollieError(422, "The amount contains an invalid value", f"{field}.value")
    minor = int(value.replace(".", ""))
    if minor == 0:
        raise MollieError(422, "The amount is lower than the minimum", f"{field}.value")
    return minor, currency


def amount(minor: int, currency: str) -> Json:
    """The other way round; negative for settlements."""
    places = decimals(currency)
    sign, digits = "-" * (minor < 0), str(abs(minor)).rjust(places + 1, "0")
    return {"value": sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits), "currency": currency}


class Account:
    """Everything one test profile knows. Objects are plain data; amounts inside are minor units."""

    def __init__(self, clock: Clock, ids: Ids, public_url: str) -> None:
        self.clock = clock
        self.ids = ids
        self.public_url = public_url.rstrip("/")
        self.profile_id = "pfl_standIn001"
        self.objects: dict[str, dict[str, Json]] = {kind: {} for kind in PREFIXES}
        self.timers = Timers()
        self.outbox = Outbox(ids, self._seal, BACKOFF)
        self.refund_delay_s = 2.0
        self.subscription: Json = {}

    def new(self, kind: str, content: Json) -> Json:
        made: Json = {"resource": kind, "id": f"{PREFIXES[kind]}_{self.ids()[:22]}", "mode": "test"}
        made["createdAt"] = iso(self.clock())
        made.update(content)
        self.objects[kind][made["id"]] = made
        return made

    def get(self, kind: str, object_id: str) -> Json:
        try:
            return self.objects[kind][object_id]
        except KeyError:
            raise MollieError(404, f"No {kind} exists with token {object_id}.") from None

    def of_payment(self, kind: str, payment_id: str) -> list[Json]:
        """The refunds, captures or chargebacks of one payment, oldest first."""
        return [self.objects[kind][one] for one in self.objects["payment"][payment_id]["children"][kind]]

    def child(self, kind: str, payment: Json, content: Json) -> Json:
        """A new refund, capture or chargeback of a payment, known to both."""
        made = self.new(kind, {"paymentId": payment["id"], **content})
        payment["children"][kind].append(made["id"])
        return made

    def notify(self, payment: Json) -> None:
        """The classic webhook: only the id, unsigned, to the address the payment came with."""
        if payment["webhookUrl"]:
            body = urlencode({"id": payment["id"]}).encode()
            self.outbox.put(payment["webhookUrl"], body, payment["id"], self.clock())

    def tell(self, event_type: str, entity: Json) -> None:
        """The next-generation webhook: a signed event with the object, or (simple) only a link to it."""
        wanted = self.subscription
        patterns = wanted.get("events", ())
        if not any(one == "*" or event_type == one or event_type.startswith(one.rstrip("*")) for one in patterns):
            return
        links = {"entity": entity["_links"]["self"], "documentation": documentation("get-event")}
        event: Json = {"resource": "event", "id": f"event_{self.ids()}", "type": event_type, "entityId": entity["id"]}
        event |= {"createdAt": iso(self.clock()), "_links": links}
        if not wanted["simple"]:
            event["_embedded"] = {"entity": entity}
        self.outbox.put(wanted["url"], json.dumps(event).encode(), event["id"], self.clock(), "subscription")

    def _seal(self, delivery: Delivery, now: float) -> dict[str, str]:
        if delivery.endpoint != "subscription":
            return _plain(delivery, now)
        seal = hmac.new(self.subscription.get("secret", "").encode(), delivery.body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", "X-Mollie-Signature": f"sha256={seal}"}

    def link(self, path: str) -> Json:
        return {"href": f"{self.public_url}/v2/{path}", "type": "application/hal+json"}

    def html(self, path: str) -> Json:
        return {"href": f"{self.public_url}/{path}", "type": "text/html"}

    def page(self, kind: str, path: str, query: str, found: list[Json], view: Callable[[Json], Json]) -> Json:
        """A HAL list, newest first, by ``limit`` (at most 250) and ``from`` (an id)."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        limit = int(asked.get("limit", "50")) if asked.get("limit", "50").isdigit() else 0
        if not 1 <= limit <= 250:
            raise MollieError(400, "The limit must be between 1 and 250", "limit")
        newest = list(reversed(found))
        at = [one["id"] for one in newest]
        start = 0
        if "from" in asked:
            if asked["from"] not in at:
                raise MollieError(404, f"No {kind} exists with token {asked['from']}.")
            start = at.index(asked["from"])

        def linked(position: int) -> Json | None:
            if not 0 <= position < len(at):
                return None
            return self.link(f"{path}?{urlencode({'from': at[position], 'limit': limit})}")

        shown = newest[start : start + limit]
        return {
            "count": len(shown),
            "_embedded": {PLURALS[kind].replace("-", "_"): [view(one) for one in shown]},
            "_links": {
                "self": self.link(f"{path}?{urlencode({'limit': limit})}"),
                "previous": linked(max(start - limit, 0)) if start else None,
                "next": linked(start + limit),
                "documentation": documentation(f"list-{PLURALS[kind]}"),
            },
        }


def documentation(page: str) -> Json:
    return {"href": f"https://docs.mollie.com/reference/{page}", "type": "text/html"}


def _plain(delivery: Delivery, now: float) -> dict[str, str]:
    return {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Mollie HTTP/1.0", "Accept": "*/*"}
