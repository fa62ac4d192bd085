"""One person over all channels: found again, merged, unmerged exactly, remembered, exported and erased."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commerce import aws, tokens
from commerce.items import to_item
from profiles import erasure
from tests.journey.people import (
    ANNA,
    BART,
    CANARIES,
    NOBODY,
    assert_erased,
    canaries,
    created,
    deliver,
    happened,
    merged,
    read,
    snapshot,
    sound,
    staff,
)
from tests.world import World

# --------------------------------------------------------------------------------------------------- being found


def test_a_till_finds_a_shopper_by_anything_in_any_spelling(world: World) -> None:
    # GIVEN a profile made at the till
    profile_id = created(
        world,
        given_name="Anna",
        identities=[
            {"kind": "email", "value": "Anna@Example.com", "verified": True},
            {"kind": "phone", "value": "06-12345678"},
            {"kind": "loyalty_card", "value": "2610 0042 x1"},
        ],
    )
    # WHEN another till looks her up
    till = world.token("device", scopes="profiles:read")
    found = [
        world.call("GET", f"/profiles?identity={identity}", till).json["items"]
        for identity in (
            "email:ANNA@example.com",
            "phone:+31612345678",
            "phone:%2B31612345678",
            "loyalty_card:26100042X1",
        )
    ]
    # THEN it is her every time, and what is known says where it comes from
    assert [[each["profile_id"] for each in items] for items in found] == [[profile_id]] * 4
    golden = found[0][0]
    assert golden["given_name"] == "Anna"
    assert golden["sources"]["given_name"]["profile_id"] == profile_id
    assert golden["sources"]["given_name"]["trust"] == "staff"
    assert [(each["kind"], each["value"], each["verified"]) for each in golden["identities"]] == [
        ("email", "anna@example.com", True), ("loyalty_card", "26100042X1", False), ("phone", "+31612345678", False),
    ]  # fmt: skip
    assert world.call("GET", "/profiles?identity=email:nobody@example.com", till).json == {
        "items": [], "next_cursor": None,
    }  # fmt: skip
    # AND the bus heard of it, without anything personal
    world.settle()
    assert [event["data"] for event in world.events("profile.created")] == [{"profile_id": profile_id}]
    kinds = [event["data"]["kind"] for event in world.events("profile.identified")]
    assert sorted(kinds) == ["email", "loyalty_card", "phone"]
    assert sound(world) == []


def test_me_is_made_on_first_use_with_the_customers_own_id(world: World) -> None:
    anna = world.token("customer", ANNA)
    first, again = world.call("GET", "/me", anna), world.call("GET", "/me", anna)
    assert first.status == 200
    assert first.json == again.json
    assert first.json["profile_id"] == ANNA
    assert read(world, ANNA) == first.json
    world.settle()
    (event,) = world.events("profile.identified")
    assert event["data"]["kind"] == "account"
    assert event["data"]["customer_id"] == ANNA


def test_an_account_attached_at_the_till_is_the_profile_its_owner_sees(world: World) -> None:
    # GIVEN a profile from before she had an account
    profile_id = created(world, given_name="Anna")
    answer = world.call("POST", f"/profiles/{profile_id}/identities", staff(world),
                        json={"kind": "account", "value": ANNA, "verified": True})  # fmt: skip
    assert answer.status == 201
    # WHEN she signs in THEN that is her
    me = world.call("GET", "/me", world.token("customer", ANNA)).json
    assert (me["profile_id"], me["given_name"]) == (profile_id, "Anna")
    assert world.call("GET", f"/profiles/{profile_id}", world.token("customer", ANNA)).status == 200


def test_what_a_person_says_counts_more_than_what_staff_typed_and_can_be_taken_back(world: World) -> None:
    anna, clerk = world.token("customer", ANNA), staff(world)
    world.call("PUT", "/me", anna, json={"given_name": "Anneke", "preferences": {"newsletter": True, "size": "M"}})
    world.clock.tick(60)
    world.call(
        "PUT", f"/profiles/{ANNA}", clerk, json={"given_name": "Ana", "family_name": "de Vries", "trust": "guess"}
    )
    golden = read(world, ANNA)
    assert (golden["given_name"], golden["family_name"]) == ("Anneke", "de Vries")
    assert {name: source["trust"] for name, source in golden["sources"].items()} == {
        "given_name": "verified", "family_name": "guess", "preferences.newsletter": "verified",
        "preferences.size": "verified",
    }  # fmt: skip
    # WHEN she takes some back
    cleared = world.call("PUT", "/me", anna, json={"given_name": None, "preferences": {"size": None}}).json
    # THEN it is gone although staff had typed one
    assert cleared["given_name"] is None
    assert cleared["preferences"] == {"newsletter": True}


def test_an_identity_has_one_profile_and_only_those_who_may_look_learn_whose(world: World) -> None:
    identity = {"kind": "email", "value": "anna@example.com", "verified": False}
    profile_id = created(world, identities=[identity])
    other = created(world, given_name="Bart")
    writer = world.token("staff", scopes="profiles:write")
    for answer in (
        world.call("POST", "/profiles", writer, json={"identities": [identity]}),
        world.call("POST", f"/profiles/{other}/identities", writer, json=identity),
    ):
        assert (answer.status, answer.json["type"]) == (409, "/problems/identity-taken")
        assert profile_id not in answer.body.decode()
    answer = world.call("POST", f"/profiles/{other}/identities", staff(world), json=identity)
    assert answer.json["profile_id"] == profile_id
    # AND the failed creation left nothing behind
    assert len([item for item in world.items("ProfilesTable") if item["pk"].startswith("P#")]) == 2
    assert sound(world) == []


def test_an_identity_attached_again_changes_nothing_and_verified_stays_verified(world: World) -> None:
    profile_id = created(world)
    identity = {"kind": "phone", "value": "+31612345678"}
    path = f"/profiles/{profile_id}/identities"
    first = world.call("POST", path, staff(world), json=identity).json
    assert world.call("POST", path, staff(world), json=identity).json == first
    for verified in (True, False):
        golden = world.call("POST", path, staff(world), json=identity | {"verified": verified}).json
        assert [(each["value"], each["verified"]) for each in golden["identities"]] == [("+31612345678", True)]
    assert sound(world) == []


def test_creating_with_a_key_is_done_once(world: World) -> None:
    body = {"given_name": "Anna", "identities": [{"kind": "loyalty_card", "value": "26100042"}]}
    first = world.call("POST", "/profiles", staff(world), json=body, key="k")
    again = world.call("POST", "/profiles", staff(world), json=body, key="k")
    other = world.call("POST", "/profiles", staff(world), json={"given_name": "Bart"}, key="k")
    assert (first.status, again.status, other.status) == (201, 201, 422)
    assert first.json == again.json
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


# ---------------------------------------------------------------------------------------------- merging, unmerging


def test_a_merge_is_undone_exactly(world: World) -> None:
    # GIVEN an account and a till's profile, each with a name, an identity and a history
    anna = world.token("customer", ANNA)
    world.call("PUT", "/me", anna, json={"given_name": "Anna"})
    till = created(world, given_name="Ana", language="nl", identities=[{"kind": "loyalty_card", "value": "26100042"}])
    world.call("POST", f"/profiles/{till}/identities", staff(world), json={"kind": "account", "value": BART})
    deliver(world, happened(world, ANNA, "order.placed", "AAAA", "2026-11-01T10:00:00.000Z"),
             happened(world, BART, "order.placed", "BBBB", "2026-11-02T10:00:00.000Z"))  # fmt: skip
    before = snapshot(world, ANNA, till)
    # WHEN they are merged
    merge = merged(world, ANNA, till)
    assert merge.status == 201
    assert merge.json["survivor_id"] == merge.json["profile_id"] == ANNA
    # THEN both ids show one person, by the survivor's id
    golden, asked = read(world, ANNA), read(world, till)
    assert asked == golden | {"merged_into": ANNA}
    assert golden["merged_into"] is None
    assert (golden["given_name"], golden["language"]) == ("Anna", "nl")
    assert golden["sources"]["language"]["profile_id"] == till
    assert golden["profile_ids"] == sorted([ANNA, till])
    assert {each["profile_id"] for each in golden["identities"]} == {ANNA, till}
    timeline = world.call("GET", f"/profiles/{till}/timeline", anna).json["items"]
    assert [(each["order_id"], each["profile_id"]) for each in timeline] == [("BBBB", till), ("AAAA", ANNA)]
    # WHEN it is undone
    undone = world.call("DELETE", f"/profiles/merges/{merge.json['merge_id']}", staff(world))
    assert undone.status == 200
    assert undone.json["separated"] is True
    # THEN everything is as it was, and undoing again changes nothing
    assert snapshot(world, ANNA, till) == before
    again = world.call("DELETE", f"/profiles/merges/{merge.json['merge_id']}", staff(world))
    assert again.json == undone.json
    assert snapshot(world, ANNA, till) == before
    world.settle()
    told = world.events("profile.merged") + world.events("profile.unmerged")
    assert [event["data"]["survivor_id"] for event in told] == [ANNA, ANNA]
    assert sound(world) == []


def test_what_is_told_while_merged_stays_with_the_profile_it_was_told_to(world: World) -> None:
    one, other = created(world, given_name="Anna"), created(world, given_name="Bart")
    merge_id = merged(world, one, other).json["merge_id"]
    world.clock.tick(1)
    world.call("PUT", f"/profiles/{other}", staff(world), json={"given_name": "Bartholomeus"})
    world.call("POST", f"/profiles/{other}/identities", staff(world), json={"kind": "device", "value": "phone-1"})
    assert read(world, one)["given_name"] == "Bartholomeus"
    world.call("DELETE", f"/profiles/merges/{merge_id}", staff(world))
    assert (read(world, one)["given_name"], read(world, one)["identities"]) == ("Anna", [])
    assert read(world, other)["given_name"] == "Bartholomeus"
    assert [each["value"] for each in read(world, other)["identities"]] == ["phone-1"]


def test_the_named_survivor_is_the_root_along_chains_and_around_cycles(world: World) -> None:
    a, b, c = (created(world, given_name=name) for name in "abc")
    merges = [
        merged(world, survivor, absorbed, key=f"{survivor}{absorbed}").json["merge_id"]
        for survivor, absorbed in ((a, b), (b, c), (c, a))
    ]
    assert {read(world, one)["profile_id"] for one in (a, b, c)} == {c}
    # one merge less: still one person, and whoever the newest of the others named
    answer = world.call("DELETE", f"/profiles/merges/{merges[2]}", staff(world))
    assert answer.json["separated"] is False
    assert {read(world, one)["profile_id"] for one in (a, b, c)} == {b}
    # the middle one less: a stands alone with nobody, b and c are one
    world.call("DELETE", f"/profiles/merges/{merges[0]}", staff(world))
    assert read(world, a)["profile_ids"] == [a]
    assert read(world, c)["profile_id"] == b
    assert sound(world) == []


def test_a_merge_happens_once_per_key(world: World) -> None:
    a, b, c = (created(world) for _ in range(3))
    first, again, other = merged(world, a, b), merged(world, a, b), merged(world, a, c)
    assert (first.status, again.status, other.status) == (201, 201, 422)
    assert first.json == again.json
    assert again.headers["idempotent-replayed"] == "true"
    assert len(read(world, a)["merges"]) == 1
    missing = world.call("POST", "/profiles/merges", staff(world),
                         json={"survivor_id": a, "absorbed_id": c, "reason": "x"})  # fmt: skip
    assert missing.status == 400


def test_impossible_merges_change_nothing(world: World) -> None:
    a, b = created(world), created(world)
    before = world.items("ProfilesTable")
    for survivor, absorbed, status in ((a, a, 422), (a, NOBODY, 404), (NOBODY, b, 404), ("-", b, 422)):
        assert merged(world, survivor, absorbed, key=f"{survivor}{absorbed}").status == status
    assert world.call("DELETE", f"/profiles/merges/{NOBODY}", staff(world)).status == 404
    assert world.items("ProfilesTable") == before


def test_the_most_profiles_a_person_has_still_fit_one_transaction(world: World) -> None:
    # GIVEN a person of 90 profiles, all but two of them written directly
    root, newest = created(world), created(world)
    like = next(item for item in world.items("ProfilesTable") if item["pk"] == f"P#{newest}")
    others = [f"{number:04}" for number in range(88)]
    members = [root, *others]
    merges = [
        {"merge_id": other, "survivor_id": root, "absorbed_id": other, "seq": 1 + number, "at": "2026"}
        for number, other in enumerate(others)
    ]
    write = functools.partial(aws.client("dynamodb").put_item, TableName=world.template.tables["ProfilesTable"].name)
    for other in others:
        write(Item=to_item(like | {"pk": f"P#{other}", "profile_id": other, "root": root, "sealed": "-"}))
    links = {"members": members, "merges": merges, "seq": 88}
    old_root = next(item for item in world.items("ProfilesTable") if item["pk"] == f"P#{root}")
    write(Item=to_item(old_root | {"links": links}))
    # WHEN the last one joins as the survivor, so that every member changes its root
    assert merged(world, newest, root).status == 201
    # THEN all follow
    roots = {item["root"] for item in world.items("ProfilesTable") if item["pk"].startswith("P#")}
    assert roots == {newest}
    # AND one more is refused
    answer = merged(world, newest, created(world), key="one-more")
    assert (answer.status, answer.json["type"]) == (409, "/problems/too-many-merged")


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=14))
def test_any_merges_and_unmerges_leave_sound_pointers_and_records(steps: list[tuple[bool, int, int]]) -> None:
    world = World()
    people = [created(world, given_name=f"n{number}") for number in range(4)]
    alone = snapshot(world, *people)
    in_force: list[str] = []
    for number, (merging, one, other) in enumerate(steps):
        if merging and one != other:
            answer = merged(world, people[one], people[other], key=f"k{number}")
            assert answer.status == 201
            assert read(world, people[other])["profile_id"] == people[one]
            in_force.append(answer.json["merge_id"])
        elif in_force:
            world.call("DELETE", f"/profiles/merges/{in_force.pop(one % len(in_force))}", staff(world))
        # a record only quotes the profiles it names, and those name each other
        records = {person: read(world, person) for person in people}
        for golden in records.values():
            assert {source["profile_id"] for source in golden["sources"].values()} <= set(golden["profile_ids"])
            assert all(records[each]["profile_ids"] == golden["profile_ids"] for each in golden["profile_ids"])
    assert sound(world) == []
    for merge_id in in_force:
        world.call("DELETE", f"/profiles/merges/{merge_id}", staff(world))
    assert snapshot(world, *people) == alone


# ------------------------------------------------------------------------------------------------ history, rights


def test_history_is_newest_first_pages_and_appears_with_the_profile(world: World) -> None:
    # GIVEN things that happened before there was a profile
    moments = [f"2026-11-{day:02d}T10:00:00.000Z" for day in range(1, 8)]
    answer = deliver(world, *(happened(world, ANNA, "order.placed", f"ORDER{n}", at) for n, at in enumerate(moments)))
    assert answer == {"batchItemFailures": []}
    # WHEN they come again, and some that are nobody's
    nobody = happened(world, ANNA, "order.placed", "ANON", moments[0])
    del nobody["detail"]["data"]["customer_id"]
    deliver(world, happened(world, ANNA, "order.placed", "ORDER3", moments[3]), nobody)
    # THEN the person has them once, newest first, in pages
    anna = world.token("customer", ANNA)
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = world.call("GET", f"/profiles/{ANNA}/timeline?limit=3{cursor}", anna).json
        seen += [each["order_id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"ORDER{n}" for n in reversed(range(7))]
    entry = world.call("GET", f"/profiles/{ANNA}/timeline?limit=1", anna).json["items"][0]
    assert entry == {
        "at": moments[-1], "type": "order.placed", "profile_id": ANNA, "order_id": "ORDER6", "order_number": "ORDER6",
        "payment_id": None, "basket_id": None, "channel": "web", "amount": {"amount": 1995, "currency": "EUR"},
    }  # fmt: skip


def test_a_cursor_belongs_to_its_list_and_reader(world: World) -> None:
    for person in (ANNA, BART):
        world.call("GET", "/me", world.token("customer", person))
        deliver(world, *(happened(world, person, "order.placed", f"{person[-1]}{n}", f"2026-11-0{n + 1}T10:00:00.000Z")
                          for n in range(3)))  # fmt: skip
    cursor = world.call("GET", f"/profiles/{ANNA}/timeline?limit=1", world.token("customer", ANNA)).json["next_cursor"]
    for path, token in (
        (f"/profiles/{BART}/timeline?cursor={cursor}", world.token("customer", BART)),
        (f"/profiles/{ANNA}/timeline?cursor={cursor}", staff(world)),
        (f"/profiles/{ANNA}/timeline?cursor={cursor[:-2]}xx", world.token("customer", ANNA)),
        (f"/profiles/{ANNA}/timeline?cursor=nonsense", world.token("customer", ANNA)),
        (f"/profiles/{ANNA}/timeline?limit=0", world.token("customer", ANNA)),
        (f"/profiles/{ANNA}/timeline?limit=101", world.token("customer", ANNA)),
    ):
        assert world.call("GET", path, token).status == 422


def test_a_poisoned_event_harms_only_itself(world: World) -> None:
    poison = happened(world, ANNA, "order.placed", "X", "2026-11-01T10:00:00.000Z")
    del poison["detail"]["data"]["order_id"]
    answer = deliver(world, poison, happened(world, ANNA, "order.placed", "Y", "2026-11-01T10:00:00.000Z"))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    timeline = world.call("GET", f"/profiles/{ANNA}/timeline", world.token("customer", ANNA)).json
    assert [each["order_id"] for each in timeline["items"]] == ["Y"]


def test_personal_data_is_unreadable_at_rest_and_never_in_events_or_logs(world: World) -> None:
    canaries(world)
    world.call("GET", "/profiles?identity=email:canary@example.com", staff(world))
    world.call("GET", f"/profiles/{ANNA}/export", staff(world))
    stored = [json.dumps(world.items(table), default=repr) for table in world.template.tables]
    told = [json.dumps(world.events())] + [line.text for line in world.logs]
    for canary in CANARIES:
        assert not any(canary in text for text in stored + told), canary


def test_export_has_everything_with_provenance(world: World) -> None:
    canaries(world)
    for token in (world.token("customer", ANNA), staff(world, "profiles:export")):
        export = world.call("GET", f"/profiles/{ANNA}/export", token)
        assert export.status == 200
        for canary in CANARIES:
            assert canary in export.body.decode(), canary
        facts = {fact["field"]: fact["trust"] for record in export.json["records"] for fact in record["facts"]}
        assert facts == {
            "given_name": "verified", "birth_date": "verified", "family_name": "staff", "preferences.note": "staff",
        }  # fmt: skip
        assert [merge["reason"] for merge in export.json["merges"]] == ["canary-because"]
        assert [entry["order_id"] for entry in export.json["history"]["items"]] == ["AAAA"]


def test_erasing_leaves_an_id_and_a_receipt(world: World) -> None:
    # GIVEN a person of two profiles
    merge_id = canaries(world)
    anna = world.token("customer", ANNA)
    other = read(world, ANNA)["profile_ids"][-1]
    # WHEN she asks to be erased
    receipt = world.call("DELETE", f"/profiles/{ANNA}", anna)
    # THEN everything is gone, here and now
    assert receipt.status == 200
    assert receipt.json["state"] == "done"
    assert sorted(receipt.json["profile_ids"]) == sorted([ANNA, other])
    world.settle()
    assert_erased(world)
    for path in (f"/profiles/{ANNA}", f"/profiles/{other}", f"/profiles/{other}/export", f"/profiles/{other}/timeline"):
        assert world.call("GET", path, staff(world)).status == 404
    assert world.call("DELETE", f"/profiles/merges/{merge_id}", staff(world)).status == 404
    assert world.call("GET", "/profiles?identity=email:canary@example.com", staff(world)).json["items"] == []
    # AND asking again gives the same receipt, to her and to staff
    assert world.call("DELETE", f"/profiles/{ANNA}", anna).json == receipt.json
    assert world.call("DELETE", f"/profiles/{other}", staff(world)).json == receipt.json
    # AND who signs in again starts anew, under another id
    again = world.call("GET", "/me", anna).json
    assert again["profile_id"] != ANNA
    assert again["given_name"] is None
    assert sound(world) == []


def test_who_is_being_erased_is_told_to_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure that died after its first step: nothing can be read, and nothing new begins, until it is finished."""
    anna = world.token("customer", ANNA)
    world.call("GET", "/me", anna)
    running = {"erasure_id": "e", "profile_ids": [ANNA], "state": "running", "requested_at": "2026"}
    monkeypatch.setattr(erasure, "resume", lambda erasure_id: running)
    assert world.call("DELETE", f"/profiles/{ANNA}", anna).json["state"] == "running"
    monkeypatch.undo()
    for method, body in (("GET", None), ("PUT", {"given_name": "Anna"})):
        answer = world.call(method, "/me", anna, json=body)
        assert (answer.status, answer.json["type"]) == (409, "/problems/profile-being-erased")
    assert world.call("GET", f"/profiles/{ANNA}", staff(world)).status == 404
    world.advance(120, tick=60)
    assert world.call("GET", "/me", anna).json["profile_id"] != ANNA
    assert sound(world) == []


def test_profiles_restored_from_a_backup_are_noise_and_can_be_erased_again(world: World) -> None:
    # GIVEN a backup of the profiles from before an erasure; the keys live in a table of their own
    canaries(world)
    people = read(world, ANNA)["profile_ids"]
    backup = world.items("ProfilesTable")
    world.call("DELETE", f"/profiles/{ANNA}", staff(world))
    # WHEN it is restored
    table = world.template.tables["ProfilesTable"].name
    for item in backup:
        aws.client("dynamodb").put_item(TableName=table, Item=to_item(item))
    world.advance(301)
    # THEN nobody can read it, and erasing it again cleans up what came back
    for profile_id in people:
        assert world.call("GET", f"/profiles/{profile_id}", staff(world)).status == 404
    assert world.call("GET", "/profiles?identity=email:canary@example.com", staff(world)).json["items"] == []
    for profile_id in people:
        receipt = world.call("DELETE", f"/profiles/{profile_id}", staff(world))
        assert (receipt.status, receipt.json["state"]) == (200, "done")
    left = [item["pk"] for item in world.items("ProfilesTable") if item["pk"].startswith(("ID#", "LINK#", "T#"))]
    assert left == []
    assert not any("sealed" in item for item in world.items("ProfilesTable"))


# ---------------------------------------------------------------------------------------------- access, bad input


def test_everybody_reaches_exactly_what_is_theirs(world: World) -> None:
    # GIVEN Anna's profile, and everybody who might ask for it
    world.call("GET", "/me", world.token("customer", ANNA))
    other = created(world)
    callers: dict[str, str | None] = {
        "owner": world.token("customer", ANNA),
        "other": world.token("customer", BART),
        "guest": tokens.sign("basket", {"basket_id": "b", "exp": world.clock.now + 600}),
        "reader": world.token("staff", scopes="profiles:read"),
        "writer": world.token("device", scopes="profiles:write"),
        "eraser": world.token("staff", scopes="profiles:erase"),
        "exporter": world.token("staff", scopes="profiles:export"),
        "till": world.token("device", scopes="profiles:read profiles:write", location_id="ams-kalverstraat"),
        "staff": world.token("staff", scopes="orders:read basket:serve"),
        "nobody": None,
        "garbage": "garbage",
    }
    merge = {"survivor_id": ANNA, "absorbed_id": NOBODY, "reason": "x"}
    expected = {
        ("GET", f"/profiles/{ANNA}"): {"owner": 200, "reader": 200, "till": 200, "other": 404, "guest": 404},
        ("GET", f"/profiles/{ANNA}/timeline"): {"owner": 200, "reader": 200, "till": 200, "other": 404, "guest": 404},
        ("GET", f"/profiles/{ANNA}/export"): {"owner": 200, "exporter": 200, "other": 404, "guest": 404},
        ("GET", f"/profiles/{other}"): {"reader": 200, "till": 200, "owner": 404, "other": 404, "guest": 404},
        ("GET", "/profiles?identity=email:a@b.nl"): {"reader": 200, "till": 200},
        ("GET", "/me"): {"owner": 200, "other": 200},
        ("PUT", "/me"): {"owner": 200, "other": 200},
        ("POST", "/profiles"): {"writer": 201, "till": 201},
        ("PUT", f"/profiles/{other}"): {"writer": 200, "till": 200},
        ("POST", f"/profiles/{other}/identities"): {"writer": 201, "till": 201},
        ("POST", "/profiles/merges"): {"writer": 404, "till": 404},
        ("DELETE", f"/profiles/merges/{NOBODY}"): {"writer": 404, "till": 404},
        ("DELETE", f"/profiles/{NOBODY}"): {"eraser": 404, "owner": 404, "other": 404, "guest": 404},
    }
    bodies = {"/profiles": {}, "/me": {}, f"/profiles/{other}": {}, "/profiles/merges": merge,
              f"/profiles/{other}/identities": {"kind": "device", "value": "dev-1"}}  # fmt: skip
    for (method, path), allowed in expected.items():
        for name, token in callers.items():
            body = bodies.get(path) if method in ("POST", "PUT") else None
            answer = world.call(method, path, token, json=body, key="k")
            refused = 401 if name in ("nobody", "garbage") else 403
            assert answer.status == allowed.get(name, refused), (method, path, name, answer)
    # AND the last one is allowed too
    assert world.call("DELETE", f"/profiles/{ANNA}", callers["other"]).status == 404
    for name in ("reader", "writer", "till", "exporter"):
        assert world.call("DELETE", f"/profiles/{ANNA}", callers[name]).status == 403, name
    assert world.call("DELETE", f"/profiles/{ANNA}", callers["eraser"]).status == 200


_LONG = "x" * 300
BAD_BODIES: list[Any] = [
    b"", b"{", b"[]", b"null", b'"text"', b"{}x", b'{"given_name": NaN}', b"\xff\xfe", b"[" * 5000, b'{"a":' * 2000,
    {"given_name": 7}, {"given_name": ""}, {"given_name": "a\u0000b"}, {"given_name": "a\u202eb"},
    {"given_name": _LONG}, {"given_name": ["Anna"]},
    {"birth_date": "1990-02-30"}, {"birth_date": "2090-01-01"},
    {"birth_date": 19900101}, {"birth_date": "1850-01-01"}, {"language": "Dutch"}, {"preferences": []},
    {"preferences": {"UPPER": True}},
    {"preferences": {"a": 1}}, {"preferences": {"a": {}}}, {"preferences": {"a": _LONG}},
    {"preferences": {f"p{n}": True for n in range(51)}}, {"profile_id": "x"}, {"root": ANNA}, {"trust": "verified"},
    {"version": 1}, {"state": "erased"},
]  # fmt: skip
BAD_IDENTITIES: list[Any] = [
    {}, {"kind": "email"}, {"value": "a@b.nl"}, {"kind": "name", "value": "a"}, {"kind": "email", "value": "nope"},
    {"kind": "phone", "value": "12"}, {"kind": "account", "value": "anna"}, {"kind": "email", "value": 7},
    {"kind": "email", "value": "a@b.nl", "verified": "yes"}, {"kind": "email", "value": "a@b.nl", "owner": "x"},
    {"kind": "device", "value": "a\nb\nc"}, {"kind": "email", "value": f"{_LONG}@b.nl"},
]  # fmt: skip


def test_bad_input_is_told_where_it_is_wrong_and_changes_nothing(world: World) -> None:
    profile_id, clerk, anna = created(world), staff(world), world.token("customer", ANNA)
    world.call("GET", "/me", anna)
    before = world.items("ProfilesTable")
    asked: list[tuple[str, str, str, Any]] = []
    for body in BAD_BODIES:
        asked += [("POST", "/profiles", clerk, body), ("PUT", f"/profiles/{profile_id}", clerk, body)]
        asked += [("PUT", "/me", anna, body), ("PUT", "/me", anna, {"trust": "staff"})]
        asked += [("POST", "/profiles/merges", clerk, body)]
    for identity in BAD_IDENTITIES:
        asked += [("POST", f"/profiles/{profile_id}/identities", clerk, identity)]
        asked += [("POST", "/profiles", clerk, {"identities": [identity]})]
    for name in ("", "%00", "a b", "..", "x" * 65, "%F0%9F%98%80"):
        asked += [
            ("GET", f"/profiles/{name}/timeline", clerk, None),
            ("DELETE", f"/profiles/merges/{name}", clerk, None),
        ]
    for query in ("", "?identity=", "?identity=x", "?identity=email:nope", "?identity=a:b&x=1", "?identity=phone:%00"):
        asked += [("GET", f"/profiles{query}", clerk, None)]
    for number, (method, path, token, body) in enumerate(asked):
        sent = {"body": body} if isinstance(body, bytes) else {"json": body}
        answer = world.call(method, path, token, key=f"bad-{number}", **sent)
        assert 400 <= answer.status < 500, (method, path, body, answer)
        assert answer.json["type"].startswith("/problems/"), (method, path, body, answer)
        assert _LONG not in answer.body.decode()
    assert world.items("ProfilesTable") == before
    assert world.failures == []


def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    answer = world.call("POST", "/profiles", staff(world), json={"given_name": "x" * 70_000})
    assert answer.status == 413


# ------------------------------------------------------------------------------------------------------- the cost


def test_what_people_cost(world: World) -> None:
    """Requests and units per operation, counted on the wire in a warm process."""
    world.call("GET", "/me", world.token("customer", BART))
    card = created(world, given_name="Ana")

    def cost(act: Any) -> tuple[int, float, float]:
        start = len(world.calls)
        act()
        made = [call for call in world.calls[start:] if call.service == "dynamodb"]
        return len(made), sum(call.write_units for call in made), sum(call.read_units for call in made)

    anna = world.token("customer", ANNA)
    world.call("GET", f"/profiles/{card}", anna)  # authorizer warm
    first = cost(lambda: world.call("GET", "/me", anna))
    again = cost(lambda: world.call("GET", "/me", anna))
    entry = cost(lambda: deliver(world, happened(world, ANNA, "order.paid", "A", "2026-11-01T10:00:00.000Z")))
    merge = cost(lambda: merged(world, ANNA, card))
    assert again[1] == 0
    assert again[0] == 2
    assert entry == (1, 1.0, 0)
    assert merge[1] <= 14
    assert first[1] <= 8


# ----------------------------------------------------------------------------------------------- the real shop's day


def test_a_day_in_the_shop_is_on_the_profile(world: World) -> None:
    # GIVEN a shopper who filled a basket as a guest and then signed in
    world.seed_products({"TEE": 1995})
    anna = world.token("customer", ANNA)
    guest = world.call("POST", "/baskets", json={"channel": "web"}).json
    line = {"sku": "TEE", "quantity": 2}
    path = f"/baskets/{guest['basket']['basket_id']}/lines"
    assert world.call("POST", path, guest["token"], json=line, key="add").status in (200, 201)
    claimed = world.call("POST", "/me/basket/claims", anna, json={"basket_token": guest["token"]}, key="claim")
    assert claimed.status in (200, 201), claimed
    # WHEN she orders and pays
    order = world.call(
        "POST", "/checkouts", anna, key="order",
        json={
            "basket_id": claimed.json["basket"]["basket_id"],
            "contact": {"name": "Anna de Vries", "email": "anna@example.com"},
            "fulfilment": {"kind": "delivery", "address": {
                "line1": "Damrak 1", "postal_code": "1012 LG", "city": "Amsterdam", "country": "NL"}},
        },
    )  # fmt: skip
    assert order.status == 201, order
    payment = world.call("POST", f"/orders/{order.json['order_id']}/payments", anna, key="pay",
                         json={"provider": "stripe", "method": "online"})  # fmt: skip
    assert payment.status == 201, payment
    stored = [item for item in world.items("PaymentsTable") if item.get("payment_id") == payment.json["payment_id"]]
    (intent,) = {item["provider_ref"] for item in stored if "provider_ref" in item}
    world.providers["stripe"].door("pay", id=intent)
    world.settle()
    # THEN her history tells it, newest first
    history = world.call("GET", f"/profiles/{ANNA}/timeline", anna).json["items"]
    assert sorted(each["type"] for each in history) == [
        "basket.merged",
        "order.paid",
        "order.placed",
        "payment.captured",
    ]
    assert [each["at"] for each in history] == sorted((each["at"] for each in history), reverse=True)
    assert {each["order_id"] for each in history if each["order_id"]} == {order.json["order_id"]}
    assert {each["amount"]["amount"] for each in history if each["amount"]} == {order.json["totals"]["total"]["amount"]}
    assert sound(world) == []
