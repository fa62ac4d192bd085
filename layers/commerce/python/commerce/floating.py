"""Where a person's floating basket will be before anything was put into it.

Looking at a basket writes nothing, yet what is shown has an id, and the first add by that id makes the basket. So the
id says whose it is: it is the person's own UUID with the first bit of the version set, which is set in no person's.
Another market or channel than usual, or a basket after one that was erased, has a digest of all that instead (a
UUIDv8): from the person's id one can tell that it is theirs. Neither is a UUIDv7, so no client can make such an id.
"""

import hashlib
import uuid

from commerce import markets

CHANNELS = ("web", "app", "till", "kiosk", "chat")
LIVES = 4
"""How many addresses a person has in turn: an erased basket keeps its own until the table lets it go."""

_MARKED = 0x8 << 76
"""The first bit of a UUID's version: 1-7 become 9-15."""


def address(person: str, market: str, channel: str, *, usual: str, lives: int = 0) -> str:
    """The id of a person's next basket; `usual` is the channel of a look that names none."""
    if (market, channel, lives) == (markets.DEFAULT, usual, 0) and (marked := _marked(person)):
        return marked
    noise = int.from_bytes(hashlib.sha256(f"{person}\n{lives}\n{market}\n{channel}".encode()).digest()[:16], "big")
    return str(uuid.UUID(int=noise & ~(0xF << 76 | 0b11 << 62) | _MARKED | 0b10 << 62))


def person_at(basket_id: str) -> str | None:
    """The person whose usual address this is; None if it can be nobody's."""
    value = uuid.UUID(basket_id).int
    if value >> 76 & 0xF <= 8 or value >> 62 & 0b11 != 0b10:
        return None
    return str(uuid.UUID(int=value & ~_MARKED))


def shown_to(person: str, basket_id: str, usual: str) -> tuple[str, str] | None:
    """Market and channel of the look that showed this person this address; None if it is not theirs."""
    if basket_id == _marked(person):
        return markets.DEFAULT, usual
    looks = ((market, channel) for market in markets.every() for channel in CHANNELS)
    return next(
        (
            look
            for look in looks
            if any(address(person, *look, usual="", lives=lives) == basket_id for lives in range(LIVES))
        ),
        None,
    )


def _marked(person: str) -> str | None:
    try:
        value = uuid.UUID(person).int
    except ValueError:
        return None
    if str(uuid.UUID(int=value)) != person or not 1 <= value >> 76 & 0xF <= 7 or value >> 62 & 0b11 != 0b10:
        return None
    return str(uuid.UUID(int=value | _MARKED))
