"""What DynamoDB answers where the product relies on it: one small question each, with its documented answer.

A case returns what it saw; engines that see something else are listed in `differences`.
"""

from __future__ import annotations

import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from commerce.items import to_attribute, to_item

from .engine import Engine, fresh

KB = 1024
ACCEPTED = "accepted"
INVALID = "ValidationException"


@dataclass(frozen=True)
class Case:
    """`ask` an engine; DynamoDB answers `answer`."""

    name: str
    answer: Any
    ask: Callable[[Engine], Any]


CASES: dict[str, Case] = {}


def case(answer: Any) -> Callable[[Callable[[Engine], Any]], Callable[[Engine], Any]]:
    """Register a function as the case of its name."""

    def register(ask: Callable[[Engine], Any]) -> Callable[[Engine], Any]:
        CASES[ask.__name__] = Case(ask.__name__, answer, ask)
        return ask

    return register


def outcome(call: Callable[..., Any], **request: Any) -> str:
    """`accepted`, or the code of the error; a failure that is no answer of the service says so."""
    try:
        call(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except Exception as error:
        return f"fails with {type(error).__name__}"
    return ACCEPTED


def reasons(call: Callable[..., Any], **request: Any) -> list[str] | str:
    """The codes of a cancelled transaction, in order; otherwise as `outcome`."""
    try:
        call(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] == "TransactionCanceledException":
            return [reason["Code"] for reason in error.response["CancellationReasons"]]
        return str(error.response["Error"]["Code"])
    return ACCEPTED


def key(pk: str, sk: str = "-") -> dict[str, Any]:
    """A key as DynamoDB takes it."""
    return to_item({"pk": pk, "sk": sk})


def put(engine: Engine, pk: str, sk: str = "-", **members: Any) -> None:
    """An item, whatever was there."""
    engine.client.put_item(TableName=engine.stock, Item=to_item({"pk": pk, "sk": sk, **members}))


def get(engine: Engine, pk: str, sk: str = "-") -> dict[str, Any]:
    """An item as stored (DynamoDB JSON) without its key; empty if there is none."""
    item = engine.client.get_item(TableName=engine.stock, Key=key(pk, sk), ConsistentRead=True).get("Item", {})
    return {name: value for name, value in item.items() if name not in ("pk", "sk")}


def values(**named: Any) -> dict[str, Any]:
    """Expression values: `values(q=1)` is `{":q": {"N": "1"}}`."""
    return {f":{name}": to_attribute(value) for name, value in named.items()}


def update(engine: Engine, pk: str, expression: str, **more: Any) -> dict[str, Any]:
    """The request of an update in the stock table."""
    return {"TableName": engine.stock, "Key": key(pk), "UpdateExpression": expression, **more}


# -------------------------------------------------------------------------------------------------------- how much


def _item_of(engine: Engine, size: int) -> dict[str, Any]:
    pk = fresh()
    rest = len("pk") + len(pk) + len("sk") + len("-") + len("x")
    return {"TableName": engine.stock, "Item": to_item({"pk": pk, "sk": "-", "x": "x" * (size - rest)})}


@case(ACCEPTED)
def item_of_400_kb(engine: Engine) -> Any:
    return outcome(engine.client.put_item, **_item_of(engine, 400 * KB))


@case(INVALID)
def item_of_one_byte_more_than_400_kb(engine: Engine) -> Any:
    return outcome(engine.client.put_item, **_item_of(engine, 400 * KB + 1))


@case(INVALID)
def item_that_grows_over_400_kb(engine: Engine) -> Any:
    request = _item_of(engine, 300 * KB)
    engine.client.put_item(**request)
    grow = update(engine, request["Item"]["pk"]["S"], "SET y = :y", ExpressionAttributeValues=values(y="y" * 101 * KB))
    return outcome(engine.client.update_item, **grow)


@case(INVALID)
def transaction_over_4_mb(engine: Engine) -> Any:
    items = [{"Put": _item_of(engine, 390 * KB)} for _ in range(11)]
    return outcome(engine.client.transact_write_items, TransactItems=items)


@case(ACCEPTED)
def transaction_of_100_actions(engine: Engine) -> Any:
    items = [{"Put": _item_of(engine, 100)} for _ in range(100)]
    return outcome(engine.client.transact_write_items, TransactItems=items)


@case(INVALID)
def transaction_of_101_actions(engine: Engine) -> Any:
    items = [{"Put": _item_of(engine, 100)} for _ in range(101)]
    return outcome(engine.client.transact_write_items, TransactItems=items)


@case(INVALID)
def batch_get_of_101_keys(engine: Engine) -> Any:
    keys = [key(fresh()) for _ in range(101)]
    return outcome(engine.client.batch_get_item, RequestItems={engine.stock: {"Keys": keys}})


@case(INVALID)
def batch_get_of_one_key_twice(engine: Engine) -> Any:
    keys = [key(fresh())] * 2
    return outcome(engine.client.batch_get_item, RequestItems={engine.stock: {"Keys": keys}})


@case(INVALID)
def expression_over_4_kb(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk)
    text = "SET " + ", ".join(f"{'a' * 90}{number} = :x" for number in range(45))
    return outcome(engine.client.update_item, **update(engine, pk, text, ExpressionAttributeValues=values(x=1)))


@case([ACCEPTED, INVALID])
def update_of_300_operators_and_of_one_more(engine: Engine) -> Any:
    names = [f"{letter}{digit}" for letter in string.ascii_letters for digit in string.digits]
    sums = [f"{name}=:x+:x" for name in names[:301]]
    texts = ["SET " + ",".join(some) for some in (sums[:300], sums)]
    requests = [update(engine, fresh(), text, ExpressionAttributeValues=values(x=1)) for text in texts]
    return [outcome(engine.client.update_item, **request) for request in requests]


@case(INVALID)
def sort_key_over_1_kb(engine: Engine) -> Any:
    return outcome(engine.client.put_item, TableName=engine.stock, Item=key(fresh(), "s" * 1025))


@case(INVALID)
def number_of_39_digits(engine: Engine) -> Any:
    item = key(fresh()) | {"n": {"N": "1" * 39}}
    return outcome(engine.client.put_item, TableName=engine.stock, Item=item)


@case({"n": {"N": "9" * 38}, "m": {"N": "-1"}})
def number_of_38_digits(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk, n=10**38 - 2, m=0)
    add = update(engine, pk, "SET n = n + :one, m = m - :one", ExpressionAttributeValues=values(one=1))
    engine.client.update_item(**add)
    return get(engine, pk)


# --------------------------------------------------------------------------------------------------- what is refused


@case(INVALID)
def two_actions_on_one_item(engine: Engine) -> Any:
    pk = fresh()
    check = {"TableName": engine.stock, "Key": key(pk), "ConditionExpression": "attribute_not_exists(pk)"}
    items = [{"ConditionCheck": check}, {"Put": {"TableName": engine.stock, "Item": key(pk)}}]
    return outcome(engine.client.transact_write_items, TransactItems=items)


@case(INVALID)
def reserved_word_as_a_name(engine: Engine) -> Any:
    text = update(engine, fresh(), "SET state = :x", ExpressionAttributeValues=values(x=1))
    return outcome(engine.client.update_item, **text)


@case(INVALID)
def value_that_is_not_used(engine: Engine) -> Any:
    text = update(engine, fresh(), "SET a = :x", ExpressionAttributeValues=values(x=1, y=2))
    return outcome(engine.client.update_item, **text)


@case(INVALID)
def name_that_is_not_used(engine: Engine) -> Any:
    more = {"ExpressionAttributeValues": values(x=1), "ExpressionAttributeNames": {"#n": "n"}}
    return outcome(engine.client.update_item, **update(engine, fresh(), "SET a = :x", **more))


@case(INVALID)
def value_that_is_not_given(engine: Engine) -> Any:
    text = update(engine, fresh(), "SET a = :x, b = :y", ExpressionAttributeValues=values(x=1))
    return outcome(engine.client.update_item, **text)


@case(INVALID)
def empty_key(engine: Engine) -> Any:
    return outcome(engine.client.put_item, TableName=engine.stock, Item=key(fresh(), ""))


@case(ACCEPTED)
def empty_string_elsewhere(engine: Engine) -> Any:
    return outcome(engine.client.put_item, TableName=engine.stock, Item=key(fresh()) | {"note": {"S": ""}})


@case(INVALID)
def empty_index_key(engine: Engine) -> Any:
    item = key(fresh()) | {"due_shard": {"S": ""}, "due": {"S": "2026"}}
    return outcome(engine.client.put_item, TableName=engine.stock, Item=item)


@case(INVALID)
def index_key_of_another_type(engine: Engine) -> Any:
    item = key(fresh()) | {"due_shard": {"S": "0"}, "due": {"N": "2026"}}
    return outcome(engine.client.put_item, TableName=engine.stock, Item=item)


@case(INVALID)
def index_key_of_another_type_by_update(engine: Engine) -> Any:
    text = update(engine, fresh(), "SET due = :x", ExpressionAttributeValues=values(x=1))
    return outcome(engine.client.update_item, **text)


@case(INVALID)
def key_changed_by_update(engine: Engine) -> Any:
    text = update(engine, fresh(), "SET sk = :x", ExpressionAttributeValues=values(x="other"))
    return outcome(engine.client.update_item, **text)


@case(INVALID)
def paths_that_overlap(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk, dots={"a": 1})
    text = update(engine, pk, "SET dots = :x REMOVE dots.a", ExpressionAttributeValues=values(x={}))
    return outcome(engine.client.update_item, **text)


@case(INVALID)
def path_below_what_is_not_there(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk)
    text = update(engine, pk, "SET dots.a = :x", ExpressionAttributeValues=values(x=1))
    return outcome(engine.client.update_item, **text)


@case(INVALID)
def sum_with_what_is_not_there(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk)
    text = update(engine, pk, "SET units = units + :x", ExpressionAttributeValues=values(x=1))
    return outcome(engine.client.update_item, **text)


@case(["ConditionalCheckFailed", "None", "ConditionalCheckFailed", "None"])
def cancelled_transaction_names_each_condition_in_order(engine: Engine) -> Any:
    held = [fresh() for _ in range(4)]
    for pk in held:
        put(engine, pk, n=1)
    more = {"ExpressionAttributeValues": values(x=1)}
    items: list[dict[str, Any]] = [
        {"Update": update(engine, held[0], "SET a = :x", ConditionExpression="n > :x", **more)},
        {"Update": update(engine, held[1], "SET a = :x", ConditionExpression="n = :x", **more)},
        {"Put": {"TableName": engine.stock, "Item": key(held[2]), "ConditionExpression": "attribute_not_exists(pk)"}},
        {"Delete": {"TableName": engine.stock, "Key": key(held[3])}},
    ]
    return reasons(engine.client.transact_write_items, TransactItems=items)


@case(["None", "ValidationError"])
def invalid_arithmetic_in_a_transaction(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk)
    sum_up = update(engine, pk, "SET units = units + :x", ExpressionAttributeValues=values(x=1))
    items = [{"Put": {"TableName": engine.stock, "Item": key(fresh())}}, {"Update": sum_up}]
    return reasons(engine.client.transact_write_items, TransactItems=items)


# ------------------------------------------------------------------------------------------------------- what is told


@case([("ConditionalCheckFailedException", {"N": "3"}), ("ConditionalCheckFailedException", None)])
def failed_condition_tells_the_item_as_it_is(engine: Engine) -> Any:
    there, nowhere, seen = fresh(), fresh(), []
    put(engine, there, n=3)
    for pk in (there, nowhere):
        more = {"ConditionExpression": "n > :x", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            engine.client.update_item(**update(engine, pk, "SET n = :x", ExpressionAttributeValues=values(x=5), **more))
        except ClientError as error:
            item = error.response.get("Item")
            seen.append((error.response["Error"]["Code"], item and item["n"]))
    return seen


@case([("ConditionalCheckFailed", {"N": "3"}), ("ConditionalCheckFailed", None), ("None", None)])
def cancelled_transaction_tells_the_items_as_they_are(engine: Engine) -> Any:
    there, nowhere, fine = fresh(), fresh(), fresh()
    put(engine, there, n=3)
    more = {
        "ConditionExpression": "n > :x", "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeValues": values(x=5),
    }  # fmt: skip
    items: list[dict[str, Any]] = [{"Update": update(engine, pk, "SET n = :x", **more)} for pk in (there, nowhere)]
    items.append({"Put": {"TableName": engine.stock, "Item": key(fine)}})
    try:
        engine.client.transact_write_items(TransactItems=items)
    except ClientError as error:
        found = [(reason["Code"], reason.get("Item")) for reason in error.response["CancellationReasons"]]
        return [(code, item and item["n"]) for code, item in found]
    return ACCEPTED


@case({"n": {"N": "1"}})
def token_repeated_applies_once(engine: Engine) -> Any:
    pk, token = fresh(), str(uuid.uuid4())
    put(engine, pk, n=0)
    add = update(engine, pk, "SET n = n + :x", ExpressionAttributeValues=values(x=1))
    for _ in range(2):
        engine.client.transact_write_items(TransactItems=[{"Update": add}], ClientRequestToken=token)
    return get(engine, pk)


@case("IdempotentParameterMismatchException")
def token_repeated_for_something_else(engine: Engine) -> Any:
    pk, token = fresh(), str(uuid.uuid4())
    put(engine, pk, n=0)
    for step in (1, 2):
        add = update(engine, pk, "SET n = n + :x", ExpressionAttributeValues=values(x=step))
        answer = outcome(engine.client.transact_write_items, TransactItems=[{"Update": add}], ClientRequestToken=token)
    return answer


@case(["INSERT", "MODIFY", "REMOVE"])
def stream_tells_every_change(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk, n=1)
    put(engine, pk, n=2)
    engine.client.delete_item(TableName=engine.stock, Key=key(pk))
    return [kind for kind, about in engine.told(engine.stock) if about == pk]


@case(["INSERT"])
def stream_is_silent_about_a_write_that_changes_nothing(engine: Engine) -> Any:
    pk = fresh()
    for _ in range(2):
        put(engine, pk, n=1)
    same = update(engine, pk, "SET n = :x", ExpressionAttributeValues=values(x=1))
    engine.client.transact_write_items(TransactItems=[{"Update": same}])
    engine.client.delete_item(TableName=engine.stock, Key=key(fresh()))
    return [kind for kind, about in engine.told(engine.stock) if about == pk]


@case([])
def stream_is_silent_about_a_cancelled_transaction(engine: Engine) -> Any:
    pk = fresh()
    check = {"TableName": engine.stock, "Key": key(fresh()), "ConditionExpression": "attribute_exists(pk)"}
    items = [{"Put": {"TableName": engine.stock, "Item": key(pk)}}, {"ConditionCheck": check}]
    outcome(engine.client.transact_write_items, TransactItems=items)
    return [kind for kind, about in engine.told(engine.stock) if about == pk]


# ---------------------------------------------------------------------------------------------------- what is changed


@case({"n": {"N": "2"}, "m": {"N": "1"}})
def operands_are_read_before_anything_is_set(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk, n=1, m=2)
    engine.client.update_item(TableName=engine.stock, Key=key(pk), UpdateExpression="SET n = m, m = n")
    return get(engine, pk)


@case({"n": {"N": "5"}})
def add_to_what_is_not_there(engine: Engine) -> Any:
    pk = fresh()
    engine.client.update_item(**update(engine, pk, "ADD n :x", ExpressionAttributeValues=values(x=5)))
    return get(engine, pk)


@case({"kept": {"S": "first"}, "set": {"S": "new"}})
def if_not_exists_keeps_the_first(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk, kept="first")
    text = "SET kept = if_not_exists(kept, :x), #s = if_not_exists(#s, :x)"
    more = {"ExpressionAttributeValues": values(x="new"), "ExpressionAttributeNames": {"#s": "set"}}
    engine.client.update_item(**update(engine, pk, text, **more))
    return get(engine, pk)


@case({"dots": {"M": {"a|1": {"N": "1"}, "=b.c": {"N": "3"}}}})
def names_in_a_path_may_hold_anything(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk, dots={"a|1": 1, "x@y|2": 2})
    more = {
        "ExpressionAttributeNames": {"#in": "=b.c", "#out": "x@y|2"}, "ExpressionAttributeValues": values(x=3),
        "ConditionExpression": "attribute_exists(dots.#out) AND attribute_not_exists(dots.#in)",
    }  # fmt: skip
    engine.client.update_item(**update(engine, pk, "SET dots.#in = :x REMOVE dots.#out", **more))
    return get(engine, pk)


@case(ACCEPTED)
def removing_what_is_not_there(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk, dots={})
    return outcome(engine.client.update_item, **update(engine, pk, "REMOVE dots.a, b"))


@case("ConditionalCheckFailedException")
def comparison_with_another_type(engine: Engine) -> Any:
    pk = fresh()
    put(engine, pk, n="10")
    more = {"ConditionExpression": "n >= :x", "ExpressionAttributeValues": values(x=1)}
    return outcome(engine.client.update_item, **update(engine, pk, "SET a = :x", **more))


@case({"size(dots) = :two": True, "size(list) = :two": True, "size(text) = :two": True, "size(none) = :two": False})
def size_counts_members(engine: Engine) -> Any:
    pk, seen = fresh(), {}
    put(engine, pk, dots={"a": [1, 2, 3], "b": {}}, list=["long", "longer"], text="ab")
    for name in ("dots", "list", "text", "none"):
        more = {"ConditionExpression": "size(#n) = :two", "ExpressionAttributeNames": {"#n": name}}
        request = update(engine, pk, "SET a = :two", ExpressionAttributeValues=values(two=2), **more)
        seen[f"size({name}) = :two"] = outcome(engine.client.update_item, **request) == ACCEPTED
    return seen


@case({"paid": True, "open": True, "closed": False, "absent": False})
def one_of_several_values(engine: Engine) -> Any:
    seen = {}
    for state in ("paid", "open", "closed", "absent"):
        pk = fresh()
        put(engine, pk, state=None if state == "absent" else state)
        more = {"ConditionExpression": "#s IN (:a, :b)", "ExpressionAttributeNames": {"#s": "state"}}
        request = update(engine, pk, "REMOVE x", ExpressionAttributeValues=values(a="paid", b="open"), **more)
        seen[state] = outcome(engine.client.update_item, **request) == ACCEPTED
    return seen


# ------------------------------------------------------------------------------------------------------ what is found


def _query(engine: Engine, pk: str, **more: Any) -> dict[str, Any]:
    request = {"KeyConditionExpression": "pk = :h", "ExpressionAttributeValues": values(h=pk)}
    found: dict[str, Any] = engine.client.query(TableName=engine.stock, **(request | more))
    return found


@case(["2 items, more", "0 items, end"])
def page_that_ends_with_the_last_item(engine: Engine) -> Any:
    pk, seen, start = fresh(), [], {}
    for sk in ("a", "b"):
        put(engine, pk, sk)
    for _ in range(2):
        page = _query(engine, pk, Limit=2, **start)
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if "LastEvaluatedKey" in page else {}
        seen.append(f"{page['Count']} items, {'more' if start else 'end'}")
        if not start:
            break
    return seen


@case({"Count": 1, "ScannedCount": 3})
def limit_counts_what_is_read_before_the_filter(engine: Engine) -> Any:
    pk = fresh()
    for place in range(5):
        put(engine, pk, f"{place}", n=place)
    page = _query(engine, pk, Limit=3, FilterExpression="n > :n", ExpressionAttributeValues=values(h=pk, n=1))
    return {name: page[name] for name in ("Count", "ScannedCount")}


@case({"pages": 2, "items": 4})
def more_than_1_mb_comes_in_pages(engine: Engine) -> Any:
    pk, counts, start = fresh(), [], {}
    for sk in "abcd":
        put(engine, pk, sk, x="x" * 390 * KB)
    while not counts or start:
        page = _query(engine, pk, **start)
        counts.append(page["Count"])
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if "LastEvaluatedKey" in page else {}
    return {"pages": len(counts), "items": sum(counts)}


@case(INVALID)
def strongly_consistent_read_of_an_index(engine: Engine) -> Any:
    request = {"KeyConditionExpression": "due_shard = :h", "ExpressionAttributeValues": values(h="0")}
    return outcome(engine.client.query, TableName=engine.stock, IndexName="due", ConsistentRead=True, **request)


@case([["B", "Z", "a", "b", "é"], ["é", "b", "a", "Z", "B"]])
def keys_sort_by_their_bytes(engine: Engine) -> Any:
    pk = fresh()
    for sk in ("b", "B", "a", "é", "Z"):
        put(engine, pk, sk)
    return [[i["sk"]["S"] for i in _query(engine, pk, ScanIndexForward=up)["Items"]] for up in (True, False)]


@case([{"due", "due_shard", "pk", "sk"}])
def index_entry_holds_keys_only(engine: Engine) -> Any:
    pk, shard = fresh(), fresh("shard")
    put(engine, pk, due_shard=shard, due="2026", more="not told")
    put(engine, fresh(), due_shard=shard, more="lacks the range key, so it is not in the index")
    request = {"KeyConditionExpression": "due_shard = :h", "ExpressionAttributeValues": values(h=shard)}
    found = engine.client.query(TableName=engine.stock, IndexName="due", **request)["Items"]
    return [set(item) for item in found]
