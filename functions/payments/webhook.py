"""The providers' door: verify the bytes as they came, store what matters in one write, answer 200.

Everything else happens behind the table's stream. Imports stay light on purpose (no Powertools resolver, no pydantic):
a provider waits, and most of these invocations are short.
"""

import base64
import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from commerce import clock, log, problems, writes
from payments import accounts, addresses, excerpts, exchange, mailbox, signatures

MAX_BODY = 256 * 1024


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Serve `POST /webhooks/{stripe|mollie}/{account}`, and Mollie's address of each payment below it."""
    provider = event["resource"].split("/")[2]
    try:
        did = _receive(provider, event)
    except problems.Problem as problem:
        log.outcome("webhook", provider=provider, status=problem.status, problem=problem.slug)
        return _answer(problem.status, problem.as_map(), "application/problem+json")
    except (ClientError, BotoCoreError) as error:
        # Nothing is stored: the provider has to post it again.
        log.failure("webhook not stored", error, provider=provider)
        return _answer(503, problems.busy().as_map(), "application/problem+json")
    log.outcome("webhook", provider=provider, status=200, did=did)
    return _answer(200, {"received": True}, "application/json")


def _receive(provider: str, event: dict[str, Any]) -> str:
    parameters = event.get("pathParameters") or {}
    account = parameters.get("account") or ""
    raw = _bytes(event)
    if len(raw) > MAX_BODY:
        raise problems.Problem(413, "body-too-large", "Too large", f"A webhook has at most {MAX_BODY} bytes.")
    if f"{provider}/{account}" not in accounts.configured().known:
        raise _unverified()  # at no cost: nobody looks for its secret
    try:
        if provider == "stripe":
            return _stripe(account, raw, _header(event, "stripe-signature"))
        return _mollie(account, raw, _header(event, "x-mollie-signature"), parameters.get("token"))
    except excerpts.Malformed as wrong:
        raise problems.Problem(400, "malformed-webhook", "This is no webhook of this provider", str(wrong)) from None


def _stripe(account: str, raw: bytes, signed: list[str]) -> str:
    secret = accounts.secret("stripe", account) or {}
    if not signatures.stripe(raw, signed, secret.get("webhook_secrets", []), clock.source()):
        renewed = accounts.secret("stripe", account, anew=True) or {}
        if not signatures.stripe(raw, signed, renewed.get("webhook_secrets", []), clock.source()):
            raise _unverified()
    event = excerpts.of_stripe(_json(raw))
    if event.livemode != accounts.live():
        log.failure("webhook of the other mode", exchange.OtherMode(), provider="stripe", account=account)
        raise problems.Problem(401, "wrong-mode", "Not for this account", "Test and live events are never mixed.")
    if event.version not in (None, excerpts.STRIPE_VERSION):
        log.warning("stripe event of another version", account=account, version=event.version, type=event.type)
    try:
        mailbox.stripe(account, event.id, event.type, event.created or int(clock.source()), event.kept)
    except writes.Refused:
        return "repeat"
    return "stored"


def _mollie(account: str, raw: bytes, signed: list[str], token: str | None) -> str:
    """A signed event, or the classic form at an address that we made: it is one of the two, or a forgery."""
    payment_id = None
    if signed:
        secret = accounts.secret("mollie", account) or {}
        if not signatures.mollie(raw, signed, secret.get("webhook_secrets", [])):
            renewed = accounts.secret("mollie", account, anew=True) or {}
            if not signatures.mollie(raw, signed, renewed.get("webhook_secrets", [])):
                raise _unverified()
    else:
        payment_id = addresses.payment_of(account, token or "")
        if payment_id is None or raw.lstrip()[:1] == b"{":  # only the classic form may come without a signature
            raise _unverified()
    event = excerpts.of_mollie_event(_json(raw)) if raw.lstrip()[:1] == b"{" else excerpts.of_mollie_form(raw)
    if event.reference or payment_id:
        mailbox.mollie(account, event.reference, payment_id, event.type)
        return "stored"
    try:
        mailbox.mollie_other(account, event.id, event.type)
    except writes.Refused:
        return "repeat"
    return "stored"


def _bytes(event: dict[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return bytes(body.encode(errors="replace"))
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        return b""


def _header(event: dict[str, Any], name: str) -> list[str]:
    """All values of a header, whatever its case and whichever way the gateway passed it."""
    repeated = event.get("multiValueHeaders") or {}
    found = [value for key, values in repeated.items() if key.lower() == name for value in values or []]
    return found or [value for key, value in (event.get("headers") or {}).items() if key.lower() == name and value]


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise excerpts.Malformed("no JSON") from None


def _unverified() -> problems.Problem:
    """One answer for an unknown account and a bad signature: nobody learns which accounts exist."""
    return problems.Problem(401, "bad-signature", "Not verified", "The signature does not fit.")


def _answer(status: int, body: dict[str, Any], content_type: str) -> dict[str, Any]:
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"} | (
        {"Retry-After": "5"} if status == 503 else {}
    )
    return {"statusCode": status, "headers": headers, "body": json.dumps(body), "isBase64Encoded": False}
