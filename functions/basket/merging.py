"""Taking one basket into another, and taking it out again: what moves, and under which names.

Merging moves the dots of basket `a` into basket `b`; each remembers `a` as its origin, and the logs of a's devices go
on in `b` under names of their own. `a` stays behind as a forwarder. Undoing moves back exactly the dots that are still
as they came; whatever was set, added or ordered since stays where it is. So merge and undo are the identity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from commerce import baskets, items
from commerce.baskets import Packed

Item = Mapping[str, Any]

_MOST_BYTES = 300_000
"""A basket never becomes larger than this by a merge; an item may have 400 KB."""


@dataclass(frozen=True)
class Taken:
    """What `b` gets from `a`."""

    tag: str
    dots: dict[str, Packed]
    seen: dict[str, int]
    proofs: dict[str, list[str]]
    recent: dict[str, int]

    @property
    def lines(self) -> dict[str, int]:
        """Quantity per SKU that came in."""
        return baskets.quantities(self.dots)


def fits(b: Item, what: "Taken") -> bool:
    """Whether `b` can hold both."""
    return items.size(dict(b)) + items.size(what.dots) + items.size(what.seen) + items.size(what.proofs) <= _MOST_BYTES


def taken(a: Item) -> Taken:
    """What leaves `a` when it is merged."""
    tag = baskets.tag(a["basket_id"])
    dots = {
        baskets.moved_name(name, tag): replace(dot, via=dot.via or a["channel"], origin=tag, through=None).packed()
        for name, dot in baskets.dots(a).items()
    }
    seen = {f"{writer}@{tag}": seq for writer, seq in a["seen"].items()}
    proofs = {f"{writer}@{tag}": each for writer, each in a.get("proofs", {}).items()}
    return Taken(tag, dots, seen, proofs, dict(a["recent"]))


@dataclass(frozen=True)
class Returned:
    """What goes back to `a` when its merge is undone, and what `b` therefore loses."""

    tag: str
    dots: dict[str, Packed]
    seen: dict[str, int]
    proofs: dict[str, list[str]]
    recent: dict[str, int]
    leaves: dict[str, Packed]
    """The dots as `b` has them."""
    forgets: list[str]
    """The device logs that go back with them, as `b` calls them."""

    @property
    def lines(self) -> dict[str, int]:
        """Quantity per SKU that goes back."""
        return baskets.quantities(self.dots)


def returned(a: Item, b: Item, logs: tuple[Mapping[str, int], Mapping[str, list[str]]]) -> Returned:
    """What goes back to `a`: the dots that are still as they came, and how far the logs of its devices are now.

    `logs` are positions and proofs of a's logs by the names they have in `b`. Adds that came by a's address after the
    merge stay in `b`; `a` remembers their names, so that repeating such a request does not add a second time.
    """
    tag = baskets.tag(a["basket_id"])
    leaves, back, names = {}, {}, dict(b["recent"])
    for name, dot in baskets.dots(b).items():
        if dot.origin == tag:
            leaves[name] = b["dots"][name]
            via = "" if dot.via == a["channel"] else dot.via
            back[_name_before(name, tag)] = replace(dot, origin=None, via=via).packed()
        elif dot.through == tag and baskets.keyed(name):
            names[name] = baskets.stamp(b["dots"][name])
    positions, proofs = ({writer.removesuffix(f"@{tag}"): each for writer, each in of.items()} for of in logs)
    forgets = sorted(writer for writer in b["seen"] if writer.endswith(f"@{tag}"))
    return Returned(
        tag,
        back,
        dict(a["seen"]) | positions,
        dict(a.get("proofs", {})) | proofs,
        dict(a["recent"]) | names,
        leaves,
        forgets,
    )


def _name_before(name: str, tag: str) -> str:
    return name.replace(f"@{tag}|", "|", 1)
