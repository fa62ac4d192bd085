"""Who may see whom: staff and tills by scope, customers themselves, and nobody else."""

from collections.abc import Iterator
from contextlib import contextmanager

from commerce import problems
from commerce.principal import Principal
from profiles import people, table


@contextmanager
def mine(caller: Principal) -> Iterator[str]:
    """With the profile of the signed-in customer, made on first use. Raises 403 for others, 409 if it is being erased.

    with access.mine(caller) as profile_id: ...
    """
    if caller.kind != "customer":
        raise problems.Problem(403, "forbidden", "Not allowed", "Only a signed-in customer has a profile of their own.")
    try:
        yield people.mine(caller.id)
    except problems.Problem as problem:
        if problem.status != 404:
            raise
        detail = "This profile is being erased. Please try again in a minute."
        raise problems.conflict("profile-being-erased", detail) from problem


def person(caller: Principal, profile_id: str, scope: str) -> people.Person:
    """The person a profile belongs to, if the caller may see them. Raises 403 without the scope, 404 for strangers."""
    if caller.serves:
        caller.need(scope)
    elif not _own(caller, profile_id):
        raise problems.not_found("profile")
    return people.read(profile_id)


def may_erase(caller: Principal, profile_id: str) -> None:
    """Raises 403 without `profiles:erase`, 404 for strangers. Who erased themselves may ask for the receipt again."""
    if caller.serves:
        caller.need("profiles:erase")
        return
    if caller.kind == "customer" and caller.id == profile_id:
        found = table.load(profile_id).get(profile_id)
        if found is not None and not found.readable:
            return
    if not _own(caller, profile_id):
        raise problems.not_found("profile")


def _own(caller: Principal, profile_id: str) -> bool:
    """Whether the profile is part of the caller's own person. Asking for one's own id makes it, as `GET /me` does."""
    if caller.kind != "customer":
        return False
    if caller.id == profile_id:
        own: str | None = people.mine(caller.id)
    else:
        own = people.owned(caller.id)
    return own is not None and people.same(own, profile_id)
