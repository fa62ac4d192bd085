"""What the doors without a resolver answer: they are plain handlers on purpose, so somebody has to say it."""

from __future__ import annotations

from typing import Any

_ACCOUNT = {
    "name": "account",
    "in": "path",
    "required": True,
    "description": "which of our accounts at the provider",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"},
}
_TOKEN = {
    "name": "token",
    "in": "path",
    "required": True,
    "description": "our payment under our signature, as in the webhook address given to the provider",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,400}$"},
}

SCHEMAS: dict[str, Any] = {
    "WebhookReceivedView": {
        "title": "WebhookReceivedView",
        "type": "object",
        "required": ["received"],
        "properties": {"received": {"type": "boolean", "const": True}},
    },
}
"""Models of these doors."""


def _webhook(provider: str, operation_id: str, body: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": f"What {provider} has to tell",
        "description": (
            f"For {provider} only. The signature is checked over the bytes as they came. 200 once it is stored, and on "
            "every repeat; what it means is worked off afterwards."
        ),
        "operationId": operation_id,
        "tags": ["payments"],
        "parameters": list(parameters),
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {
                "description": "Stored, now or before",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/WebhookReceivedView"}}},
            },
        },
    }


_STRIPE_EVENT = {"application/json": {"schema": {"type": "object", "description": "a Stripe event"}}}
_MOLLIE_EVENT = {"application/json": {"schema": {"type": "object", "description": "a Mollie event"}}}
_SEAL = {
    "name": "X-Mollie-Signature",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "examples": ["sha256=5257a869e7ec..."]},
}
_MOLLIE_ID = {
    "application/x-www-form-urlencoded": {
        "schema": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "examples": ["tr_5B8cwPMGnU6qLbRvo7qEZo"]}},
        }
    }
}
_SIGNATURE = {
    "name": "Stripe-Signature",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "examples": ["t=1795000000,v1=5257a869e7ec..."]},
}

OPERATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "payments.webhook": {
        "/webhooks/stripe/{account}": {
            "post": _webhook("Stripe", "stripe", _STRIPE_EVENT, _ACCOUNT, _SIGNATURE),
        },
        "/webhooks/mollie/{account}": {"post": _webhook("Mollie", "mollie", _MOLLIE_EVENT, _ACCOUNT, _SEAL)},
        "/webhooks/mollie/{account}/{token}": {
            "post": _webhook("Mollie", "molliePayment", _MOLLIE_ID, _ACCOUNT, _TOKEN),
        },
    },
    "reference.api": {
        "/openapi.json": {
            "get": {
                "summary": "This document",
                "description": "OpenAPI 3.1, for machines.",
                "operationId": "openApi",
                "tags": ["reference"],
                "responses": {
                    "200": {
                        "description": "The contract",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            }
        },
        "/docs": {
            "get": {
                "summary": "This document as a page",
                "description": "For people; needs nothing from anywhere else.",
                "operationId": "docs",
                "tags": ["reference"],
                "responses": {
                    "200": {"description": "A page", "content": {"text/html": {"schema": {"type": "string"}}}}
                },
            }
        },
    },
}
"""By handler, path and method."""

RAISES: dict[str, tuple[str, ...]] = {
    "payments.webhook": ("bad-signature", "busy", "malformed-webhook", "wrong-mode"),
    "reference.api": ("unsupported-media-type", "validation"),
}
"""By handler: the problems these doors answer, besides those of every route."""
