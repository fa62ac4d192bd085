"""Stand-in OIDC issuer: RS256 keys kept in a folder, discovery, JWKS, and tokens for whoever asks. Laptop only.

=============================================  ==========================================================
``GET  /.well-known/openid-configuration``     discovery
``GET  /jwks.json``, ``/.well-known/jwks.json``  the public keys, newest first
``POST /token``                                form ``grant_type=client_credentials&sub=..&kind=customer|staff|device``
                                               and any of ``scope location_id name lifetime_s``
``POST /_test/rotate``                         sign with a new key from now on; the old ones stay in the JWKS
=============================================  ==========================================================
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .wire import Clock, Json, Reply, Request, read_form, reply_json

KINDS = ("customer", "staff", "device")
LIFETIME_S = 8 * 3600
_LONGEST_S = 366 * 86400
_END = b"-----END PRIVATE KEY-----\n"


class Issuer:
    """Mints JWTs that a real authorizer accepts.

    Args:
        url: the ``iss`` of every token, without a trailing slash.
        audience: the ``aud`` of every token.
        folder: where the private keys stay, so that tokens outlive a restart.
        clock: epoch seconds.
    """

    def __init__(self, url: str, audience: str, folder: Path, clock: Clock) -> None:
        self.url = url.rstrip("/")
        self.audience = audience
        self._file = folder / "issuer-keys.pem"
        self._clock = clock
        self._keys = self._load()
        if not self._keys:
            self.rotate()

    def mint(
        self,
        sub: str,
        kind: str,
        scopes: Iterable[str] = (),
        location_id: str | None = None,
        name: str | None = None,
        lifetime_s: int = LIFETIME_S,
    ) -> str:
        """A signed token. ``kind`` is customer, staff or device; a negative lifetime makes an expired one."""
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        now = int(self._clock())
        claims: Json = {"iss": self.url, "aud": self.audience, "sub": sub, "kind": kind, "scope": " ".join(scopes)}
        claims |= {"iat": now, "exp": now + lifetime_s}
        if location_id is not None:
            claims["location_id"] = location_id
        if name is not None:
            claims["name"] = name
        key = self._keys[0]
        head = {"alg": "RS256", "typ": "JWT", "kid": _kid(key)}
        signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"
        return f"{signed}.{_b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def rotate(self) -> None:
        """Put a new signing key in front and keep it on disk, readable by its owner only."""
        self._keys.insert(0, rsa.generate_private_key(public_exponent=65537, key_size=2048))
        self._file.parent.mkdir(parents=True, exist_ok=True)
        plain = serialization.NoEncryption()
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        temporary = self._file.with_suffix(".new")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.writelines(key.private_bytes(*form) for key in self._keys)
        temporary.replace(self._file)

    def jwks(self) -> Json:
        return {"keys": [_jwk(key) for key in self._keys]}

    def handle(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one HTTP request with ``(status, headers, body)``."""
        request = Request.of(method, path, query, headers, body)
        if request.method == "GET" and path == "/.well-known/openid-configuration":
            return reply_json(200, self._discovery())
        if request.method == "GET" and path in ("/jwks.json", "/.well-known/jwks.json"):
            return reply_json(200, self.jwks())
        if request.method == "POST" and path == "/token":
            return self._token(body)
        if request.method == "POST" and path == "/_test/rotate":
            self.rotate()
            return reply_json(200, self.jwks())
        return reply_json(404, {"error": "not_found"})

    def _token(self, body: bytes) -> Reply:
        try:
            asked = read_form(body.decode())
            if asked.get("grant_type", "client_credentials") != "client_credentials":
                return reply_json(400, {"error": "unsupported_grant_type"})
            lifetime = int(asked.get("lifetime_s", LIFETIME_S))
            if not -_LONGEST_S <= lifetime <= _LONGEST_S:
                raise ValueError("lifetime_s must be within a year")
            scopes = str(asked.get("scope", "")).split()
            who = (str(asked.get("sub") or ""), str(asked.get("kind", "customer")))
            if not who[0]:
                raise ValueError("sub is required")
            token = self.mint(*who, scopes, asked.get("location_id"), asked.get("name"), lifetime)
        except ValueError as wrong:
            return reply_json(400, {"error": "invalid_request", "error_description": str(wrong)})
        content = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime, "scope": " ".join(scopes)}
        status, headers, reply = reply_json(200, content)
        return status, {**headers, "Cache-Control": "no-store"}, reply

    def _discovery(self) -> Json:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks.json",
            "token_endpoint": f"{self.url}/token",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _load(self) -> list[rsa.RSAPrivateKey]:
        if not self._file.exists():
            return []
        keys = []
        for pem in self._file.read_bytes().split(_END)[:-1]:
            key = serialization.load_pem_private_key(pem + _END, password=None)
            if isinstance(key, rsa.RSAPrivateKey):
                keys.append(key)
        return keys


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _jwk(key: rsa.RSAPrivateKey) -> Json:
    public = key.public_key().public_numbers()
    parts = {"kty": "RSA", "n": _number(public.n), "e": _number(public.e)}
    return {**parts, "kid": _kid(key), "use": "sig", "alg": "RS256"}


def _kid(key: rsa.RSAPrivateKey) -> str:
    """The RFC 7638 thumbprint of the public key."""
    public = key.public_key().public_numbers()
    canonical = json.dumps({"e": _number(public.e), "kty": "RSA", "n": _number(public.n)}, separators=(",", ":"))
    return _b64(hashlib.sha256(canonical.encode()).digest())
