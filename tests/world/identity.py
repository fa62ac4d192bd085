"""Tokens of the stand-in issuer: real RS256 JWTs on virtual time, verified by the product through its own key fetch."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from infra.local.providers.issuer import Issuer

ISSUER = "https://issuer.test"
AUDIENCE = "mandje"

SCOPES = {
    "customer": "",
    "device": "basket:serve stock:write payments:read payments:write payments:refund orders:read orders:write",
    "staff": (
        "catalog:write stock:write locations:write basket:serve orders:read orders:write "
        "payments:read payments:write payments:refund payments:account "
        "profiles:read profiles:write profiles:export profiles:erase"
    ),
}
"""What a token of each kind may do unless the test says otherwise."""


@functools.cache
def issuer() -> Issuer:
    """One issuer and one key per process: making a key is slow, and nothing depends on which one it is."""
    from commerce import clock

    folder = Path(tempfile.mkdtemp(prefix="issuer-"))
    made = Issuer(ISSUER, AUDIENCE, folder, lambda: clock.source())
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    return made
