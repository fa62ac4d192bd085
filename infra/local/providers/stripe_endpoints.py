"""Events, webhook endpoints, and what happens by itself at the stand-in Stripe."""

from __future__ import annotations

from .stripe_account import Account, StripeError, missing
from .stripe_checkout import expire
from .stripe_intents import cancel
from .stripe_money import fail_refund, open_dispute, settle_refund
from .wire import Json

_CONFIGURED = "we_configured"
WORTH_SENDING = [
    *(f"payment_intent.{one}" for one in ("amount_capturable_updated", "canceled", "payment_failed", "processing")),
    "payment_intent.succeeded",
    *(f"refund.{one}" for one in ("created", "failed", "updated")),
    *(f"charge.dispute.{one}" for one in ("closed", "created", "funds_reinstated", "funds_withdrawn", "updated")),
    "checkout.session.expired",
]
"""What the deploying page says to subscribe to: every event that says something the others do not."""


def events(account: Account, params: Json) -> Json:
    """GET /v1/events: ``type``, ``types[]`` (``*`` as ending), ``created[..]``, ``delivery_success``."""
    types = params.get("types")
    wanted = types if isinstance(types, list) else [types] if types else []
    if "type" in params:
        wanted = [*wanted, params["type"]]
    success = params.get("delivery_success")

    def keep(event: Json) -> bool:
        named = not wanted or any(_matches(event["type"], one) for one in wanted)
        done = not account.undelivered.get(event["id"])
        return named and (success is None or done == (success == "true"))

    return account.page("event", "/v1/events", params, keep)


def _matches(event_type: str, pattern: str) -> bool:
    return event_type.startswith(pattern[:-1]) if pattern.endswith("*") else event_type == pattern


def create(account: Account, params: Json) -> Json:
    """POST /v1/webhook_endpoints. The secret is in this reply and never shown again."""
    for name in ("url", "enabled_events"):
        if not params.get(name):
            raise missing(name)
    if not str(params["url"]).startswith(("http://", "https://")):
        raise StripeError(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )
    wanted = params["enabled_events"]
    endpoint = account.new(
        "webhook_endpoint",
        {
            "api_version": params.get("api_version"),
            "application": None,
            "description": params.get("description"),
            "enabled_events": wanted if isinstance(wanted, list) else [wanted],
            "metadata": params.get("metadata") or {},
            "status": "enabled",
            "url": params["url"],
        },
    )
    secret = f"whsec_{account.ids()}"
    account.secrets[endpoint["id"]] = [secret]
    return {**endpoint, "secret": secret}


def listen(account: Account, url: str, events: list[str] | None = None) -> Json:
    """Send events (all of them) to ``url``, signed with the configured secrets; replaces an earlier ``listen``."""
    account.objects["webhook_endpoint"].pop(_CONFIGURED, None)
    endpoint = create(account, {"url": url, "enabled_events": events or ["*"]})
    stored = account.objects["webhook_endpoint"].pop(endpoint["id"])
    del account.secrets[endpoint["id"]]
    stored["id"] = _CONFIGURED
    account.objects["webhook_endpoint"][_CONFIGURED] = stored
    return stored


def delete(account: Account, endpoint_id: str, params: Json) -> Json:
    account.get("webhook_endpoint", endpoint_id)
    del account.objects["webhook_endpoint"][endpoint_id]
    account.secrets.pop(endpoint_id, None)
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}


def resend(account: Account, event_id: str) -> Json:
    """Queue one event again for every endpoint, whether or not it was delivered before."""
    event = account.get("event", event_id)
    for endpoint in account.objects["webhook_endpoint"].values():
        account.post(event, endpoint)
    return account.public(event)


def happen(account: Account, action: str, thing_id: str) -> None:
    """One timer: whatever has moved on in the meantime is left alone."""
    if action == "refund_settles":
        settle_refund(account, thing_id)
    elif action == "refund_fails":
        fail_refund(account, thing_id)
    elif action == "dispute" and not account.get("charge", thing_id)["disputed"]:
        open_dispute(account, thing_id)
    elif action == "session_expires" and account.get("checkout.session", thing_id)["status"] == "open":
        expire(account, thing_id)
    elif action == "hold_expires" and account.get("payment_intent", thing_id)["status"] == "requires_capture":
        charge = account.get("charge", account.get("payment_intent", thing_id)["latest_charge"])
        account.emit("charge.expired", charge)
        cancel(account, thing_id, {"cancellation_reason": "automatic"})
