"""The product items: read, list, and write when the PIM says something new."""

from collections.abc import Mapping
from typing import Any

from catalog import product
from commerce import audit, clock, events, problems, reads, writes
from commerce.pricing import product_key
from commerce.principal import Principal

Product = dict[str, Any]
_ATTEMPTS = 5


def read(sku: str) -> Product | None:
    """One product."""
    return reads.get("CATALOG", product_key(sku), consistent=False)


def read_many(skus: list[str]) -> dict[str, Product]:
    """Products by SKU, unknown ones left out."""
    found = reads.get_many({"CATALOG": [product_key(sku) for sku in skus]})["CATALOG"]
    return {item["sku"]: item for item in found.values()}


def page(limit: int, start: dict[str, Any] | None) -> tuple[list[Product], dict[str, Any] | None]:
    """Products in order of their SKUs, and where the next page starts."""
    keys, following = reads.page(
        "CATALOG", product.LISTING, index="listing", hash_name="listing", range_name="sku", limit=limit, start=start
    )
    found = reads.get_many({"CATALOG": [(key["pk"], key["sk"]) for key in keys]}, consistent=False)["CATALOG"]
    return [found[key["pk"], key["sk"]] for key in keys if (key["pk"], key["sk"]) in found], following


def upsert(said: Mapping[str, Any], old: Product | None, by: Principal) -> tuple[Product, bool]:
    """The product as the PIM said, and whether that changed anything. `old` is the product as just read.

    Who changed a price is kept with it.

    Whoever writes second reads again first, so no price falls out of the history.
    """
    for _ in range(_ATTEMPTS):
        new = product.revise(old, said, clock.iso(), keep_since=clock.after(-product.WAS_KEPT_S))
        if new is None:
            return old or {}, False
        try:
            writes.commit(_written(old, new), _audited(old, new, by))
        except writes.Refused:
            old = reads.get("CATALOG", product_key(new["sku"]))
        else:
            return new, True
    raise problems.busy()


def _audited(old: Product | None, new: Product, by: Principal) -> list[writes.Write]:
    if product.event_type(old, new) != "price.changed":
        return []
    return audit.kept("CATALOG", audit.entry(by, "price.changed", f"product/{new['sku']}"))


def _written(old: Product | None, new: Product) -> writes.Write:
    """Put the next version if the product still is (or still is not) what was read."""
    pk, sk = product_key(new["sku"])
    kind = product.event_type(old, new)
    event = events.of(kind, prices=product.amounts(new)) if kind == "price.changed" else events.of(kind)
    item = {"pk": pk, "sk": sk} | new | {"event": event}
    if old is None:
        return writes.put("CATALOG", item)
    return writes.put(
        "CATALOG", item, when="#v = :version", values={":version": old["version"]}, names={"#v": "version"}
    )
