"""The document that says which provider accounts there are: what it may say, and that anything else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from payments import accounts

LIVE, TEST = {"livemode": True}, {"livemode": False}


def read(document: Any, live: bool = True) -> accounts.Accounts:
    return accounts.read(json.dumps(document), live)


def test_nothing_said_is_the_default_account_of_each_provider_everywhere() -> None:
    for live in (True, False):
        found = read({}, live)
        assert found.known == {"stripe/default", "mollie/default"}
        assert found.choose("mollie", "nl", "web", "somewhere") == "default"
        assert found.choose("stripe", None, None, None) == "default"


def test_a_provider_that_is_not_listed_takes_nothing() -> None:
    found = read({"accounts": {"stripe/main": LIVE}, "default": {"stripe": "main"}})
    assert found.choose("stripe", "nl", "web", None) == "main"
    assert found.choose("mollie", "nl", "web", None) is None
    assert found.choose("paypal", "nl", "web", None) is None


def test_an_account_of_the_other_mode_is_not_there_even_if_it_is_chosen() -> None:
    document = {"accounts": {"stripe/default": LIVE, "stripe/play": TEST}, "markets": {"uk": {"stripe": "play"}}}
    found = read(document)
    assert found.known == {"stripe/default"}
    assert found.choose("stripe", "uk", "web", None) is None, "not the default instead: it was chosen on purpose"
    assert read(document, live=False).choose("stripe", "uk", "web", None) == "play"


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"account": {}},
        {"accounts": {"default": LIVE}},
        {"accounts": {"paypal/default": LIVE}},
        {"accounts": {"stripe/": LIVE}},
        {"accounts": {"stripe/../tokens": LIVE}},
        {"accounts": {"stripe/default": {}}},
        {"accounts": {"stripe/default": {"livemode": "yes"}}},
        {"accounts": {"stripe/default": {"livemode": True, "secret_key": "sk_live_x"}}},
        {"accounts": {"stripe/default": LIVE}, "markets": {"uk": {"stripe": "uk"}}},
        {"accounts": {"stripe/default": LIVE}, "default": {"mollie": "default"}},
    ],
)
def test_a_document_that_says_something_else_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="PAYMENT_ACCOUNTS"):
        read(document)


@pytest.mark.parametrize("text", ["", "{", "null"])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"PAYMENT_ACCOUNTS|Expecting"):
        accounts.read(text, False)
