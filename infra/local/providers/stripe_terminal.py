"""Server-driven card readers of the stand-in Stripe. The PaymentIntent is the truth; reader events are for tills."""

from __future__ import annotations

from . import stripe_intents as intents
from .stripe_account import Account, StripeError, missing
from .stripe_methods import new_method
from .wire import Json

_DECLINED_CARD = "4000000000000002"


def register(account: Account, params: Json) -> Json:
    """POST /v1/terminal/readers"""
    if not params.get("registration_code"):
        raise missing("registration_code")
    return account.new(
        "terminal.reader",
        {
            "action": None,
            "device_sw_version": "",
            "device_type": "simulated_wisepos_e",
            "ip_address": "127.0.0.1",
            "label": params.get("label") or "Reader",
            "location": params.get("location"),
            "metadata": params.get("metadata") or {},
            "serial_number": account.ids()[:12],
            "status": "online",
        },
    )


def process(account: Account, reader_id: str, params: Json) -> Json:
    """POST /v1/terminal/readers/{id}/process_payment_intent: the reader asks for a card."""
    reader = account.get("terminal.reader", reader_id, "reader")
    if not params.get("payment_intent"):
        raise missing("payment_intent")
    if reader["status"] != "online":
        raise StripeError("Reader is currently offline.", code="terminal_reader_offline", executed=True)
    if _busy(reader):
        raise StripeError(
            "Reader is currently busy processing another request.", code="terminal_reader_busy", executed=True
        )
    intent = account.get("payment_intent", params["payment_intent"], "payment_intent")
    if "card_present" not in intent["payment_method_types"]:
        raise StripeError(
            "The PaymentIntent must include card_present in payment_method_types.", param="payment_intent"
        )
    if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
        raise intents.unexpected(intent, f"This PaymentIntent has a status of {intent['status']}.")
    reader["action"] = {
        "failure_code": None,
        "failure_message": None,
        "process_payment_intent": {"payment_intent": intent["id"]},
        "status": "in_progress",
        "type": "process_payment_intent",
    }
    return reader


def cancel_action(account: Account, reader_id: str) -> Json:
    """POST /v1/terminal/readers/{id}/cancel_action"""
    reader = account.get("terminal.reader", reader_id, "reader")
    reader["action"] = None
    return reader


def present(account: Account, reader_id: str, params: Json) -> Json:
    """POST /v1/test_helpers/terminal/readers/{id}/present_payment_method: somebody taps a card."""
    reader = account.get("terminal.reader", reader_id, "reader")
    if not _busy(reader):
        raise StripeError("The reader has no action that waits for a payment method.", executed=True)
    action = reader["action"]
    intent = account.get("payment_intent", action["process_payment_intent"]["payment_intent"])
    if (params.get("card_present") or {}).get("number") == _DECLINED_CARD:
        intent["payment_method"] = new_method(account, {"type": "card_present"})["id"]
        intents.fail(account, intent, "generic_decline")
        action.update(status="failed", failure_code="card_declined", failure_message="Your card was declined.")
        account.emit("terminal.reader.action_failed", reader)
        return reader
    intents.settle(account, intent, "card_present")
    action["status"] = "succeeded"
    account.emit("terminal.reader.action_succeeded", reader)
    return reader


def _busy(reader: Json) -> bool:
    return bool(reader["action"]) and reader["action"]["status"] == "in_progress"
