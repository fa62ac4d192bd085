"""Identities that are nobody's: what forms, imports and devices send when they know nothing. Pure.

Whoever has one of these would be found by everybody who sends it, and strangers would become one person. Each list has
its reason, which the caller is told. What could be somebody's own is not here: a card number with many zeros, an
address at example.com, a card called 12345.
"""

import re

from commerce import phones
from profiles.identities import Kind

_WORDS = """
anonymous anoniem deviceid dummy false geen guest inconnu keine na nan nil none notavailable null nvt tbd test todo true
undefined unbekannt unknown void xxx
"""
_NOTHING = frozenset(_WORDS.split())
"""Words for "nothing", without their punctuation: `n/a`, `N.V.T.`."""

_MAY_BE_NAMES = frozenset({"guest", "na", "nan", "nil", "true", "void", "xxx"})
"""Those of them that somebody may have in front of an @."""

_UNREAD = frozenset({"noreply", "donotreply", "noresponse", "mailerdaemon"})
"""Mailboxes that nobody reads, so that nobody can be who they say."""

_TEST_DOMAINS = frozenset({"test.com", "test.de", "test.nl", "test.org"})
_RESERVED_DOMAINS = frozenset({"invalid", "localhost", "test"})
"""Top-level domains that never lead anywhere (RFC 6761)."""

_DEVICES = frozenset({"9774d56d682e549c", "020000000000"})
"""Ids that many devices have: the Android id of a whole series, and the network address phones show to hide theirs."""

_ROWS = frozenset({"12345678", "123456789", "1234567890", "0123456789", "987654321", "9876543210"})


def reason(kind: Kind, value: str) -> str | None:
    """Why an identity (in its one spelling) is nobody's own; None if it may be somebody's."""
    if kind == "email":
        return _email(value)
    return _phone(value) if kind == "phone" else _number(value)


def _email(value: str) -> str | None:
    local, _, domain = value.rpartition("@")
    word, (name, _, top) = _word(local), domain.rpartition(".")
    if not word or word in _NOTHING - _MAY_BE_NAMES or local == "n/a":
        return "a placeholder, nobody's own address"
    if word in _UNREAD:
        return "a mailbox that nobody reads, so nobody's own address"
    if domain in _TEST_DOMAINS or top in _RESERVED_DOMAINS:
        return "a domain for tests, so nobody's own address"
    if len(local + name) > 2 and len(set(local + name)) == 1:
        return "one letter repeated, so nobody's own address"
    return None


def _phone(value: str) -> str | None:
    number = phones.national(value)
    if len(set(number)) == 1:
        return "one digit repeated, so nobody's own number"
    if (number in _ROWS or number.endswith("0000000")) and not phones.assigned(value):
        return "a number that is not given to anybody"
    return None


def _number(value: str) -> str | None:
    """Of a card, a device, an account, a receipt."""
    word = _word(value)
    if not word or word in _NOTHING:
        return "a placeholder, nobody's own"
    if not word.strip("0"):
        return "only zeros, so nobody's own"
    if len(word) >= 6 and len(set(word)) == 1:
        return "one character repeated, so nobody's own"
    if word in _DEVICES:
        return "an id that many devices share, so nobody's own"
    return None


def _word(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())
