"""API Gateway's Lambda TOKEN authorizer: runs the template's own function and enforces the policy it answers.

chalice's local version ignores `Deny`, needs a `context` and never caches; the real one caches an answer per token for
`ReauthorizeEvery` seconds and applies the cached policy to every other route too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from chalice import Chalice
from chalice.local import LocalGatewayAuthorizer

from infra.intrinsics import ACCOUNT, REGION
from infra.template_model import Api, Authorizer

from .clock import Clock
from .proxy_event import API_ID, Headers
from .runtime import InvocationFailed


class Refused(Exception):
    """The gateway stops the request; `kind` names its gateway response, such as UNAUTHORIZED."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class TemplateAuthorizer(LocalGatewayAuthorizer):
    """Decides over a routed event. `invoke(function, event)` runs the authorizer function."""

    def __init__(self, app: Chalice, api: Api, invoke: Callable[[str, dict[str, Any]], Any], clock: Clock) -> None:
        super().__init__(app)
        self._api, self._invoke, self._clock = api, invoke, clock
        self._kept: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}

    def authorize(self, raw_path: str, event: dict[str, Any], context: Any) -> tuple[dict[str, Any], Any]:
        """The event with the authorizer's context in it. Raises `Refused`."""
        entry = self._route_for_event(event)
        if entry is None or entry.authorizer is None:
            return event, context
        authorizer = self._api.authorizers[entry.authorizer.name]
        path = event["path"].lstrip("/")
        arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}/{self._api.stage}/{event['httpMethod']}/{path}"
        decision = self._decision(authorizer, Headers(event["headers"].items()).first(authorizer.header), arn)
        if not allows(decision["policyDocument"], arn):
            raise Refused("ACCESS_DENIED")
        given = {name: as_text(value) for name, value in (decision.get("context") or {}).items()}
        event["requestContext"]["authorizer"] = given | {"principalId": decision["principalId"]}
        return event, context

    def _decision(self, authorizer: Authorizer, token: str | None, arn: str) -> dict[str, Any]:
        if not token or (authorizer.validation and not re.search(authorizer.validation, token)):
            raise Refused("UNAUTHORIZED")
        until, decision = self._kept.get((authorizer.name, token), (0.0, {}))
        if self._clock.now < until:
            return decision
        asked = {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}
        try:
            decision = self._invoke(authorizer.function, asked)
        except InvocationFailed as failure:
            known = str(failure.error) == "Unauthorized"
            raise Refused("UNAUTHORIZED" if known else "AUTHORIZER_FAILURE") from failure
        if not _is_decision(decision):
            raise Refused("AUTHORIZER_CONFIGURATION_ERROR")
        self._kept[authorizer.name, token] = (self._clock.now + authorizer.ttl, decision)
        return decision


def allows(policy: dict[str, Any], arn: str) -> bool:
    """IAM's answer for one method: some statement allows it and none denies it."""
    effects = set()
    for statement in policy.get("Statement", ()):
        actions, resources = (_as_list(statement.get(part)) for part in ("Action", "Resource"))
        invokes = any(_matches(action.lower(), "execute-api:invoke") for action in actions)
        if invokes and any(_matches(resource, arn) for resource in resources):
            effects.add(statement.get("Effect"))
    return effects == {"Allow"}


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None


def _is_decision(decision: Any) -> bool:
    """A principal, a policy, and context values that are text, numbers or booleans: anything else is a 500."""
    if not isinstance(decision, dict) or not isinstance(decision.get("principalId"), str):
        return False
    values = (decision.get("context") or {}).values()
    return isinstance(decision.get("policyDocument"), dict) and all(isinstance(v, str | int | float) for v in values)


def as_text(value: Any) -> str:
    """Context values reach the function as strings: `true`, not `True`."""
    return value if isinstance(value, str) else json.dumps(value)
