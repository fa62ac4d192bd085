"""Personal data at rest: sealed with AES-GCM under one data key per profile, found by keyed hashes.

The data key is kept wrapped, in a table of its own; without it nothing sealed can be read again, wherever a copy may
be. Secret `profiles`: `{"index_key": hex, "master_key": hex}`, 32 bytes each.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from commerce import ids, secrets

_NONCE = 12
_FORM = b"\x01"
"""First byte of everything sealed here, so that another way can be told apart one day."""


def new_key() -> bytes:
    """A fresh data key."""
    return ids.random_bytes(32)


def wrap(key: bytes, profile_id: str) -> bytes:
    """A data key as it is stored."""
    return _encrypt(_secret("master_key"), key, f"key/{profile_id}")


def unwrap(wrapped: bytes, profile_id: str) -> bytes:
    """The data key again. Raises `cryptography.exceptions.InvalidTag` under another master key or profile."""
    return _decrypt(_secret("master_key"), wrapped, f"key/{profile_id}")


def seal(key: bytes, owner: str, document: Any) -> bytes:
    """A JSON-like document, unreadable without the key, and bound to its owner (a profile, a merge)."""
    return _encrypt(key, json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(), owner)


def unseal(key: bytes, owner: str, sealed: bytes) -> Any:
    """The document again. Raises `cryptography.exceptions.InvalidTag` if key, owner or content do not fit."""
    return json.loads(_decrypt(key, sealed, owner))


def index(kind: str, value: str) -> str:
    """`<kind>#<keyed hash>`: finds an identity without telling it. URL-safe, 43 characters of hash."""
    digest = hmac.new(_secret("index_key"), f"{kind}\0{value}".encode(), hashlib.sha256).digest()
    return f"{kind}#{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _secret(name: str) -> bytes:
    return bytes.fromhex(secrets.required("profiles")[name])


def _encrypt(key: bytes, plain: bytes, bound_to: str) -> bytes:
    nonce = ids.random_bytes(_NONCE)
    return _FORM + nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode())


def _decrypt(key: bytes, sealed: bytes, bound_to: str) -> bytes:
    nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    return AESGCM(key).decrypt(nonce, rest, bound_to.encode())
