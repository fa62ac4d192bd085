"""People under disturbance: two at once in every order, and every fault at every outside call."""

from __future__ import annotations

from typing import Any

import pytest

from commerce import due, writes
from profiles import table
from tests.journey.people import ANNA, BART, CARL, assert_erased, canaries, created, merged, read, staff
from tests.world import World
from tests.world.doctor_hook import violations
from tests.world.explore import explore
from tests.world.interleave import interleave

# ------------------------------------------------------------------------------------------------------- concurrency


def _people(world: World) -> None:
    """Three profiles with fixed ids in an otherwise empty world."""
    for customer in (ANNA, BART, CARL):
        world.call("GET", "/me", world.token("customer", customer))


def _merging(survivor: str, absorbed: str, key: str) -> Any:
    def act(world: World) -> None:
        answer = merged(world, survivor, absorbed, key=key)
        assert answer.status in (201, 404, 503), answer

    return act


def _all_one(world: World) -> list[str]:
    answers = [world.call("GET", f"/profiles/{one}", staff(world)) for one in (ANNA, BART, CARL)]
    seen = {str(answer.json.get("profile_id", answer)) for answer in answers}
    return [*violations(world), *([f"not one person: {seen}"] if len(seen) != 1 else [])]


def test_two_merges_at_once_are_both_right() -> None:
    found = interleave(_people, [_merging(ANNA, BART, "1"), _merging(CARL, BART, "2")], _all_one, switches=2)
    assert not found.failures
    crossed = interleave(_people, [_merging(ANNA, BART, "1"), _merging(BART, ANNA, "2")], violations, switches=1)
    assert not crossed.failures


def test_a_merge_and_an_unmerge_at_once_are_both_right() -> None:
    def setup(world: World) -> None:
        _people(world)
        merged(world, ANNA, BART, key="first")

    def undo(world: World) -> None:
        links = [item for item in world.items("ProfilesTable") if item["pk"].startswith("LINK#")]
        (merge_id,) = [item["merge_id"] for item in links if item["survivor_id"] == ANNA]
        assert world.call("DELETE", f"/profiles/merges/{merge_id}", staff(world)).status == 200

    def check(world: World) -> list[str]:
        people = {one: set(read(world, one)["profile_ids"]) for one in (ANNA, BART, CARL)}
        expected = {ANNA: {ANNA}, BART: {BART, CARL}, CARL: {BART, CARL}}
        return [*violations(world), *([str(people)] if people != expected else [])]

    found = interleave(setup, [undo, _merging(BART, CARL, "second")], check, switches=2)
    assert not found.failures


def test_first_visits_at_once_make_one_profile_and_at_the_till_at_once_too() -> None:
    def visit(world: World) -> None:
        assert world.call("GET", "/me", world.token("customer", ANNA)).status == 200

    def attach(world: World) -> None:
        (till,) = [
            i["profile_id"] for i in world.items("ProfilesTable") if i["pk"].startswith("P#") and i["root"] != ANNA
        ]
        body = {"kind": "account", "value": ANNA, "verified": True}
        assert world.call("POST", f"/profiles/{till}/identities", staff(world), json=body).status in (201, 409)

    def check(world: World) -> list[str]:
        rows = [i["profile_id"] for i in world.items("ProfilesTable") if i["pk"].startswith("ID#account#")]
        me = world.call("GET", "/me", world.token("customer", ANNA)).json["profile_id"]
        return [*violations(world), *([f"{me} is not {rows}"] if rows != [me] else [])]

    def known_issuer(world: World) -> None:
        # Actors share a process: while one asks the issuer for its keys, the other would wait for that for ever.
        assert world.call("GET", "/profiles?identity=loyalty_card:26100042", staff(world)).status == 200

    assert not interleave(known_issuer, [visit, visit], check).failures
    assert not interleave(created, [visit, attach], check).failures


def test_erasing_and_merging_at_once_leave_nothing_half_done() -> None:
    def erase(world: World) -> None:
        answer = world.call("DELETE", f"/profiles/{ANNA}", world.token("customer", ANNA))
        assert answer.status in (200, 503), answer

    def check(world: World) -> list[str]:
        left = world.call("GET", f"/profiles/{ANNA}", staff(world)).status
        return [*violations(world), *([f"Anna answers {left}"] if left != 404 else [])]

    found = interleave(_people, [erase, _merging(ANNA, BART, "1")], check, switches=2)
    assert not found.failures


# -------------------------------------------------------------------------------------------------------- faults


def _life(world: World) -> None:
    """A whole life, one step after the other; each step says what the caller was promised."""
    clerk = staff(world)
    card_only = {"given_name": "Ana", "identities": [{"kind": "loyalty_card", "value": "26100042"}]}
    made = world.call("POST", "/profiles", clerk, key="make", json=card_only)
    assert made.status == 201, made
    card = made.json["profile_id"]
    assert world.call("GET", "/me", world.token("customer", ANNA)).status == 200
    assert world.call("PUT", "/me", world.token("customer", ANNA), json={"given_name": "Anna"}).status == 200
    merge = merged(world, ANNA, card)
    assert merge.status == 201, merge
    assert read(world, card)["given_name"] == "Anna"
    assert world.call("DELETE", f"/profiles/merges/{merge.json['merge_id']}", clerk).status == 200
    assert read(world, card)["given_name"] == "Ana"
    world.settle()
    assert len(world.events("profile.created")) >= 2


def test_a_life_survives_every_fault() -> None:
    assert not explore(_life, modes=("once",)).failures


def _erasure(world: World) -> None:
    with world.calm():
        canaries(world)
    answer = world.call("DELETE", f"/profiles/{ANNA}", world.token("customer", ANNA))
    assert answer.status in (200, 503), answer
    world.settle()
    world.advance(180, tick=60)
    assert_erased(world)


def test_an_erasure_that_dies_anywhere_is_finished_by_the_clock() -> None:
    found = explore(_erasure)
    assert not found.failures
    assert any("DeleteItem" in call for call in found.calls)


# ------------------------------------------------------------------------------------------ what would go unnoticed


def test_without_the_lock_on_the_root_two_merges_at_once_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeded mistake: a root may be rewritten although somebody else changed it since it was read."""
    careful = table._repointed

    def careless(*asked: Any) -> writes.Write:
        write = careful(*asked)
        request = dict(write.request)
        request["ConditionExpression"] = request["ConditionExpression"].partition(" AND links_version")[0]
        request["ExpressionAttributeValues"] = {
            name: value for name, value in request["ExpressionAttributeValues"].items() if name != ":read"
        }
        return writes.Write(write.action, request, write.refused)

    monkeypatch.setattr(table, "_repointed", careless)
    found = interleave(_people, [_merging(ANNA, BART, "1"), _merging(ANNA, CARL, "2")], _all_one, switches=1)
    assert any("I9" in problem or "not one person" in problem for _, problems in found.failures for problem in problems)


def test_an_erasure_without_a_due_time_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeded mistake: nobody looks again at an erasure that died."""
    monkeypatch.setattr(due, "fields", lambda key, at: {})
    found = explore(_erasure)
    assert any("I6" in problem or "Assertion" in problem for failure in found.failures for problem in failure.problems)
