"""The gateway's TOKEN authorizer: a guest's basket token or an OIDC access token becomes a principal.

The answer allows every route of the stage, because the gateway caches it by token for a minute: what a caller may
touch is decided by each function, from the principal. Every refusal is the same `Unauthorized`; when the issuer cannot
be asked the invocation fails, and the gateway lets nobody in.
"""

import json
import os
import re
from typing import Any

import jwt

from authorizer import issuer
from authorizer.claims import NotGood, principal_of
from commerce import clock, log, tokens
from commerce.principal import Principal

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]{1,8192})", re.IGNORECASE)
_JWS = jwt.PyJWS(options={"enforce_minimum_key_length": True})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer the gateway's question. Raises `Exception("Unauthorized")`, which the gateway turns into 401."""
    try:
        who = _principal(event.get("authorizationToken"))
    except NotGood as reason:
        log.outcome("authorization", allowed=False, reason=str(reason))
        raise Exception("Unauthorized") from None
    except Exception as error:
        log.failure("authorization failed", error)
        raise
    log.outcome("authorization", allowed=True, kind=who.kind)
    return _allow(who, event["methodArn"])


def _principal(header: Any) -> Principal:
    """Who holds this token. Raises `NotGood`, or `IssuerUnavailable` when that cannot be told."""
    found = _BEARER.fullmatch(header) if isinstance(header, str) else None
    if found is None:
        raise NotGood("no-bearer-token")
    token = found[1]
    guest = tokens.read("basket", token)
    if guest is not None:
        return Principal("guest", guest["basket_id"])
    claims = _verified(token, os.environ["OIDC_ISSUER"])
    return principal_of(
        claims, issuer=os.environ["OIDC_ISSUER"], audience=os.environ["OIDC_AUDIENCE"], now=clock.source()
    )


def _verified(token: str, issued_by: str) -> dict[str, Any]:
    """The claims of a token that this issuer signed; times and audience are not looked at here."""
    try:
        header = _JWS.get_unverified_header(token)
        key_id, algorithm = header.get("kid"), header.get("alg")
        # Looked at before any key is asked for: a token nobody could have signed costs no request.
        if algorithm not in issuer.ALGORITHMS or not isinstance(key_id, str):
            raise NotGood("algorithm")
        key = issuer.key(issued_by, key_id)
        if key is None:
            raise NotGood("unknown-key")
        claims = json.loads(_JWS.decode(token, key, algorithms=list(issuer.ALGORITHMS)))
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise NotGood("signature") from None
    if not isinstance(claims, dict):
        raise NotGood("claims")
    return claims


def _allow(who: Principal, method_arn: str) -> dict[str, Any]:
    """`arn:...:api/stage/GET/path` -> the whole stage."""
    api, stage = method_arn.split("/")[:2]
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{api}/{stage}/*/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": who.key, "policyDocument": policy, "context": who.as_context()}
