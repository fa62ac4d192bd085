"""Taking a guest's basket in at sign-in, and undoing that. Both may be repeated, and may die at any point."""

from dataclasses import dataclass
from typing import Any

from basket import logs, merges, merging, owners, table
from commerce import baskets, problems, requests, tokens, writes

_ATTEMPTS = 8


@dataclass(frozen=True)
class Claimed:
    """A merge and the owner's basket after it."""

    basket: dict[str, Any]
    record: dict[str, Any]
    replayed: bool = False


def basket_of_token(token: str) -> str:
    """The basket a guest's token is for. Raises 422 for one that is not ours, was changed or is too old."""
    payload = tokens.read("basket", token)
    if payload is None:
        raise problems.invalid(["body", "basket_token"], "This is not (or no longer) a basket token.")
    return str(payload["basket_id"])


def claim(owner: str, wanted: str, request: requests.Request | None = None) -> Claimed:
    """Merge basket `wanted` into the owner's floating basket. Raises 404 if it is gone or somebody else's already."""
    mine = _home_of(owner, wanted)
    for _ in range(_ATTEMPTS):
        a, b, marker = merges.for_claim(wanted, mine, request)
        if b is None:
            raise RuntimeError(f"the basket of {owner} is gone")
        if request and marker:
            return Claimed(b, _record(owner, request.same(marker)["merge_id"]), replayed=True)
        if a is not None and a.get("merged_to") == mine:
            return Claimed(b, _record(owner, a["merge_id"]), replayed=True)
        if a is None or a["state"] != "open" or (request and "customer_id" in a):
            raise problems.not_found("basket")
        what = merging.taken(a)
        if not merging.fits(b, what):
            raise problems.conflict("basket-full", "Both baskets together are too large. Order one of them first.")
        try:
            record = merges.merge(a, b, what, request=request)
        except writes.Refused:
            continue  # one of them changed, or this request is being carried out elsewhere: look again
        return Claimed(_now(b), record)
    raise problems.busy()


def belongs_to(profile_id: str, customer_id: str) -> None:
    """A profile turned out to be this customer: whoever serves finds one basket under either id.

    Lines that staff had put into a basket of the profile come into the customer's, like a claim, but for good.
    """
    if owners.alias(profile_id, owners.ACCOUNT, customer_id):
        return
    _, basket_id = owners.owner_of(profile_id)
    if basket_id:
        claim(customer_id, basket_id)
        owners.hand_over(profile_id, basket_id, customer_id)


def undo(owner: str, merge_id: str) -> Claimed:
    """Give back what a claim took and nobody touched since. Raises 404 for a merge that is not this owner's."""
    for _ in range(_ATTEMPTS):
        record = merges.merge_record(owner, merge_id)
        if record is None:
            raise problems.not_found("merge")
        a, b, _ = merges.for_claim(record["from_basket_id"], record["basket_id"], None)
        if b is None or (a is None and record["state"] == "merged"):
            raise problems.not_found("merge")
        if a is not None and "customer_id" in a:
            raise problems.not_found("merge")  # a profile's basket came home for good
        if record["state"] == "undone" or a is None:
            return Claimed(b, record, replayed=True)
        what = merging.returned(a, b, logs.of_merged(b, baskets.tag(a["basket_id"])))
        try:
            merges.unmerge(a, b, what, record)
        except writes.Refused:
            continue
        return Claimed(_now(b), _record(owner, merge_id))
    raise problems.busy()


def _home_of(owner: str, wanted: str) -> str:
    """The owner's floating basket; a first one is made in the market of the basket that is claimed."""
    _, mine = owners.owner_of(owner, themselves=True)
    if mine is None:
        a = table.read(wanted)
        if a is None:
            raise problems.not_found("basket")
        mine = owners.open_for(owner, a["channel"], a["market"], "web", themselves=True)["basket_id"]
    return str(mine)


def _now(b: dict[str, Any]) -> dict[str, Any]:
    return table.read(b["basket_id"]) or b


def _record(owner: str, merge_id: str) -> dict[str, Any]:
    record = merges.merge_record(owner, merge_id)
    if record is None:
        raise problems.not_found("merge")
    return record
