"""Where goods come from: one parcel when one place has everything, as few as possible otherwise, never a false no."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout import sourcing
from checkout.sourcing import Place, Plan, Share

DELIVERS = frozenset({"delivery"})
STORE = frozenset({"pickup", "carry_out"})

skus = st.sampled_from(["A", "B", "C", "D"])
wants = st.dictionaries(skus, st.integers(1, 9), min_size=1)
rules = st.sampled_from(["fewest-parcels", "nearest", "most-stock"])


@st.composite
def scenes(draw):
    """What is wanted, from which places, with which stock."""
    ids = [f"L{number}" for number in range(draw(st.integers(0, 5)))]
    distances = draw(st.lists(st.none() | st.integers(0, 400), min_size=len(ids), max_size=len(ids)))
    places = [Place(name, name, DELIVERS, distance=far) for name, far in zip(ids, distances, strict=True)]
    pairs = st.tuples(skus, st.sampled_from(ids)) if ids else st.nothing()
    return draw(wants), places, draw(st.dictionaries(pairs, st.integers(0, 9))), draw(rules)


def have(stock, places, sku):
    return sum(stock.get((sku, place.id), 0) for place in places)


@given(scenes())
def test_there_is_a_plan_exactly_when_the_places_together_have_enough(scene):
    # GIVEN
    wanted, places, stock, rule = scene
    # WHEN
    plan = sourcing.plan(wanted, places, stock, rule)
    # THEN
    short = {sku: have(stock, places, sku) for sku in wanted if have(stock, places, sku) < wanted[sku]}
    if short:
        assert {each.sku: each.available for each in plan} == short
        assert all(each.requested == wanted[each.sku] for each in plan)
    else:
        assert isinstance(plan, Plan)


@given(scenes())
def test_a_plan_gives_exactly_what_is_wanted_and_takes_nothing_that_is_not_there(scene):
    # GIVEN
    wanted, places, stock, rule = scene
    # WHEN
    plan = sourcing.plan(wanted, places, stock, rule)
    # THEN
    if isinstance(plan, Plan):
        given_of, taken_from = Counter(), Counter()
        for share in plan.shares:
            assert share.quantity > 0
            given_of[share.sku] += share.quantity
            taken_from[share.sku, share.location_id] += share.quantity
        assert given_of == Counter(wanted)
        assert all(amount <= stock[where] for where, amount in taken_from.items())
        assert len(taken_from) == len(plan.shares)


@given(scenes())
def test_no_smaller_set_of_places_would_do_and_one_parcel_is_never_made_two(scene):
    # GIVEN
    wanted, places, stock, rule = scene
    # WHEN
    plan = sourcing.plan(wanted, places, stock, rule)
    # THEN
    if isinstance(plan, Plan):
        smallest = next(
            size
            for size in range(1, len(places) + 1)
            if any(
                all(have(stock, chosen, sku) >= quantity for sku, quantity in wanted.items())
                for chosen in combinations(places, size)
            )
        )
        if rule == "nearest":
            assert smallest > 1 or len(plan.locations) == 1
        else:
            assert len(plan.locations) == smallest


def test_with_very_many_places_the_greedy_choice_still_covers_everything():
    # GIVEN no three of 60 places have everything
    places = [Place(f"L{number:02d}", "", DELIVERS) for number in range(60)]
    wanted = {f"S{number}": 10 for number in range(8)}
    stock = {
        (f"S{sku}", f"L{place:02d}"): 2 for sku in range(8) for place in range(60) if place % 8 == sku or place > 50
    }
    # WHEN
    plan = sourcing.plan(wanted, places, stock, "fewest-parcels")
    # THEN the nine places with a bit of everything come first
    assert isinstance(plan, Plan)
    assert Counter(dict.fromkeys(wanted, 10)) == sum((Counter({s.sku: s.quantity}) for s in plan.shares), Counter())
    assert plan.locations == ["L51", "L52", "L53", "L54", "L55"]


NEAR, FAR = Place("near", "Near", DELIVERS, distance=5), Place("far", "Far", DELIVERS, distance=90)


@pytest.mark.parametrize(
    ("rule", "stock", "expected"),
    [
        ("fewest-parcels", {("A", "near"): 1, ("A", "far"): 9}, ["near"]),
        ("most-stock", {("A", "near"): 1, ("A", "far"): 9}, ["far"]),
        ("nearest", {("A", "near"): 1, ("A", "far"): 9}, ["near"]),
        ("nearest", {("A", "far"): 9}, ["far"]),
    ],
)
def test_among_places_that_have_everything_the_rule_of_the_market_decides(rule, stock, expected):
    assert sourcing.plan({"A": 1}, [FAR, NEAR], stock, rule).locations == expected


def test_without_distances_a_warehouse_is_preferred_to_a_store_that_ships():
    # GIVEN
    store, warehouse = Place("a-store", "", DELIVERS), Place("warehouse", "", DELIVERS, warehouse=True)
    # THEN
    stock = {("A", "a-store"): 5, ("A", "warehouse"): 5}
    assert sourcing.plan({"A": 1}, [store, warehouse], stock, "fewest-parcels").shares == [Share("A", "warehouse", 1)]


def test_a_line_is_divided_only_when_nobody_has_it_whole():
    stock = {("A", "near"): 3, ("A", "far"): 5, ("B", "near"): 1}
    whole = sourcing.plan({"A": 5, "B": 1}, [NEAR, FAR], stock, "fewest-parcels")
    divided = sourcing.plan({"A": 8}, [NEAR, FAR], stock, "fewest-parcels")
    assert whole.shares == [Share("A", "far", 5), Share("B", "near", 1)]
    assert divided.shares == [Share("A", "near", 3), Share("A", "far", 5)]


def test_locations_serve_what_their_kind_or_their_own_list_says():
    # GIVEN
    known = [
        {"location_id": "w", "kind": "warehouse"},
        {"location_id": "s", "kind": "store", "latitude": "52.0", "longitude": "5.0"},
        {"location_id": "ships", "kind": "store", "fulfilments": ["pickup", "delivery"], "markets": ["nl"]},
        {"location_id": "b2b", "kind": "warehouse", "channels": ["b2b"]},
    ]

    def names(kind, market="nl"):
        return [place.id for place in sourcing.places(known, kind, market, "web", near=(52.0, 5.1))]

    # THEN
    assert names("delivery") == ["w", "ships"]
    assert names("delivery", "uk") == ["w"]
    assert names("pickup") == ["s", "ships"]
    assert names("carry_out") == ["s"]
    assert names(None) == ["s", "w", "ships"]


def test_a_store_without_everything_suggests_other_stores_delivery_a_split_and_less():
    # GIVEN
    asked, other = Place("asked", "Asked", STORE, distance=0.0), Place("other", "Other", STORE, distance=12.34)
    warehouse = Place("w", "W", DELIVERS, warehouse=True, distance=60)
    stock = {("A", "asked"): 1, ("A", "other"): 3, ("A", "w"): 9, ("B", "asked"): 4, ("B", "other"): 4, ("B", "w"): 9}
    # WHEN
    ways = sourcing.alternatives({"A": 3, "B": 1}, [asked, other, warehouse], stock, "pickup", "asked")
    # THEN
    here = [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1}]
    assert ways == [
        {"kind": "pickup", "location_id": "other", "name": "Other", "distance_km": 12.3},
        {"kind": "delivery"},
        {
            "kind": "split",
            "parts": [
                {"kind": "pickup", "location_id": "asked", "lines": here},
                {"kind": "delivery", "lines": [{"sku": "A", "quantity": 2}]},
            ],
        },
        {"kind": "lower_quantity", "location_id": "asked", "lines": here},
    ]


def test_nothing_is_suggested_when_nothing_can_be_done():
    assert sourcing.alternatives({"A": 1}, [NEAR], {}, "delivery", None) == []


@given(scenes(), st.sampled_from(["delivery", "pickup"]))
def test_every_alternative_could_be_ordered(scene, kind):
    # GIVEN
    wanted, places, stock, _ = scene
    both = [Place(p.id, p.name, DELIVERS | STORE, distance=p.distance) for p in places]
    asked = both[0].id if kind == "pickup" and both else None
    # WHEN
    for way in sourcing.alternatives(wanted, both, stock, kind, asked):
        # THEN
        match way["kind"]:
            case "pickup":
                assert all(stock.get((sku, way["location_id"]), 0) >= quantity for sku, quantity in wanted.items())
            case "delivery":
                assert all(have(stock, both, sku) >= quantity for sku, quantity in wanted.items())
            case "lower_quantity":
                there = both if asked is None else [p for p in both if p.id == asked]
                assert all(0 < line["quantity"] <= have(stock, there, line["sku"]) for line in way["lines"])
                assert all(line["quantity"] <= wanted[line["sku"]] for line in way["lines"])
            case "split":
                together = Counter()
                for part in way["parts"]:
                    together.update({line["sku"]: line["quantity"] for line in part["lines"]})
                assert together == Counter(wanted)
