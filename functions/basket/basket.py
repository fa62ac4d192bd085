"""What an edit does to a basket's add-wins set of dots.

A dot is one accepted add. Setting or removing a line takes out the dots its writer saw, so what somebody else adds at
the same moment survives. Every rule here is a function of the basket as it was read; `None` means "nothing to write".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from commerce import baskets, problems, requests
from commerce.baskets import Dot

FORGET_AT_ONCE = 50
"""So many outlived names of gone dots leave `recent` with one edit."""


@dataclass(frozen=True)
class Limits:
    """How much fits: `lines` (saved ones count), `quantity` of a line, `recent` names of gone dots."""

    lines: int
    quantity: int
    recent: int


PEOPLE = Limits(lines=200, quantity=999, recent=1000)
TRADE = Limits(lines=2000, quantity=99_999, recent=3000)
"""Staff and tills, for business customers."""


@dataclass(frozen=True)
class Opened:
    """An open basket as one caller meets it."""

    item: Mapping[str, Any]
    """The basket's item. When it was not read: its `basket_id` only."""
    through: str | None = None
    """Tag of the merged basket by whose address the caller came here, if so."""
    partial: bool = False
    """The caller holds only that old basket's token, so sees and edits only what came by way of it."""
    read: bool = True

    @property
    def basket_id(self) -> str:
        """The id this caller knows the basket by."""
        return baskets.untag(self.through) if self.partial and self.through else str(self.item["basket_id"])

    @property
    def dots(self) -> dict[str, Dot]:
        """The dots this caller sees, in order of their adding."""
        found = baskets.dots(self.item)
        if not self.partial:
            return found
        return {name: dot for name, dot in found.items() if self.through in (dot.origin, dot.through)}

    def origin_of(self, dot: Dot) -> str | None:
        """The basket a dot was merged from, unless the caller knows this basket by that id anyway."""
        return baskets.untag(dot.origin) if dot.origin and not self.partial else None

    def name_here(self, name: str) -> str:
        """The stored name of the dot that this caller calls `name`."""
        if self.through is None or "|" not in name:
            return name
        own = f"@{baskets.tag(self.item['basket_id'])}|"
        if own in name:
            return name.replace(own, "|")
        return name if "@" in name else baskets.moved_name(name, self.through)

    def name_there(self, name: str) -> str:
        """What this caller calls the dot stored as `name`.

        At an old address the names known from there go on, so those of the basket it leads to are told apart.
        """
        if self.through is None or "|" not in name:
            return name
        came = f"@{self.through}|"
        if came in name:
            return name.replace(came, "|")
        return name if "@" in name else baskets.moved_name(name, baskets.tag(self.item["basket_id"]))

    def writer_here(self, writer: str) -> str:
        """The stored name of a device's log: devices count per basket they talk to, also after it was merged."""
        return writer if self.through is None else f"{writer}@{self.through}"


@dataclass(frozen=True)
class Edit:
    """One write: dots in, dots out, and how far a device's log is applied by it."""

    change: str
    """What happened, for the event."""
    put: dict[str, Dot] = field(default_factory=dict)
    drop: dict[str, Dot] = field(default_factory=dict)
    writer: str | None = None
    was_seq: int = 0
    seq: int = 0
    proofs: tuple[str, ...] = ()
    """What the log says from `was_seq` to `seq`."""
    forget: tuple[str, ...] = ()
    markets: tuple[str, ...] | None = None
    """Only right in a basket of one of these markets; None: in any."""
    strict: bool = False
    """Decided near a limit: only right if nothing else changed meanwhile."""

    @property
    def growth(self) -> int:
        """Dots more than before."""
        return len(self.put) - len(self.drop)

    @property
    def added_units(self) -> int:
        """Pieces more than before."""
        return sum(dot.quantity for dot in self.put.values()) - sum(dot.quantity for dot in self.drop.values())


def add(opened: Opened, name: str, dot: Dot, limits: Limits, hour: int) -> Edit | None:
    """Add a dot under the digest of its request; None if that request was carried out before.

    Raises 422 if the name was used for another request, and as `fitted`.
    """
    there = opened.item["dots"].get(name)
    digest = baskets.body_digest(dot.sku, dot.quantity)
    known = baskets.stamp(there) if there else opened.item["recent"].get(name)
    if known is not None:
        if known % 10_000 != digest or (there and _from_elsewhere(Dot.of(there), dot)):
            raise requests.reused()
        return None
    return fitted(opened, Edit("added", put={name: dot}), limits, hour)


def _from_elsewhere(there: Dot, said: Dot) -> bool:
    """Whether a repeat names another channel. A merged dot tells its first basket's, whatever its request said."""
    return there.origin is None and there.via != said.via


def set_quantity(opened: Opened, name: str, dot: Dot, limits: Limits, hour: int) -> Edit | None:
    """The line's quantity becomes `dot.quantity` (0 removes it); None if it is that already.

    Takes out the dots of the line as they are now; an add that comes in between stays.
    """
    drop = line(opened.dots, dot.sku)
    if sum(each.quantity for each in drop.values()) == dot.quantity:
        return None
    put = {name: dot} if dot.quantity else {}
    return fitted(opened, Edit("set" if put else "removed", put, drop), limits, hour)


def line(dots: Mapping[str, Dot], sku: str, *, saved: bool = False) -> dict[str, Dot]:
    """The dots of one line."""
    return {name: dot for name, dot in dots.items() if dot.sku == sku and dot.saved == saved}


def fitted(opened: Opened, edit: Edit, limits: Limits, hour: int) -> Edit:
    """The edit, made to fit the basket's limits. Raises 409 when it cannot: a new line too many, a line too
    long; 429 after a thousand adds that were removed within a day.

    `hour` counts from the epoch: names of dots that went more than a day ago are forgotten.

    More dots than there may be lines are folded, those of a line into one. Folding is a `set` by somebody who
    saw them all: a device that still has them in its memory cannot remove the folded dot, so it survives.
    """
    edit = replace(edit, forget=outlived(opened.item["recent"], hour))
    if any(map(baskets.keyed, edit.put)) and len(opened.item["recent"]) - len(edit.forget) >= limits.recent:
        raise problems.Problem(429, "too-many-adds", "Too many adds", "Set quantities instead of adding and removing.")
    if opened.through:
        edit = replace(edit, put={name: replace(dot, through=opened.through) for name, dot in edit.put.items()})
    before = baskets.dots(opened.item)
    after = {name: dot for name, dot in before.items() if name not in edit.drop} | edit.put
    lines_before, lines_after = quantities(before), quantities(after)
    if len(lines_after) > max(limits.lines, len(lines_before)):
        raise problems.conflict("basket-full", f"A basket has at most {limits.lines} lines.", limit=limits.lines)
    for key, quantity in lines_after.items():
        if quantity > max(limits.quantity, lines_before.get(key, 0)):
            raise problems.conflict(
                "quantity-limit", f"A line has at most {limits.quantity} pieces.", limit=limits.quantity, sku=key[0]
            )
    if edit.growth > 0 and len(after) > limits.lines:
        return replace(fold(before, edit, keep=limits.lines // 2), strict=True)
    # Where lines and pieces cannot be too many even if each dot were a line and all pieces were in one, the write's
    # own conditions keep the limits (`table.room`), however many such edits come at once. Elsewhere the version does.
    much = edit.added_units > 0 and opened.item["units"] + edit.added_units > limits.quantity
    return replace(edit, strict=much)


def fold(before: Mapping[str, Dot], edit: Edit, keep: int) -> Edit:
    """The edit, which also folds dots of the longest lines together until about `keep` are left.

    Dots that differ in where they came from are not folded: a merge must stay undoable. Those of devices go last:
    devices name the dots they saw, simple clients do not.
    """
    groups: dict[tuple[bool, Any], list[str]] = {}
    for name, dot in before.items():
        if name not in edit.drop:
            alike = (dot.sku, dot.saved, dot.origin, dot.through)
            groups.setdefault(("|" in name, alike), []).append(name)
    put, drop = dict(edit.put), dict(edit.drop)
    left = len(before)
    for _, names in sorted(groups.items(), key=lambda group: (group[0][0], -len(group[1]))):
        if left <= keep:
            break
        if len(names) > 1:
            quantity = sum(before[name].quantity for name in names)
            put["=" + baskets.short_digest(*names)] = replace(before[names[0]], quantity=quantity)
            drop |= {name: before[name] for name in names}
            left -= len(names) - 1
    return replace(edit, put=put, drop=drop)


def quantities(dots: Mapping[str, Dot]) -> dict[tuple[str, bool], int]:
    """Pieces per line; a line is a SKU, in the basket or saved for later."""
    total: dict[tuple[str, bool], int] = {}
    for dot in dots.values():
        total[dot.sku, dot.saved] = total.get((dot.sku, dot.saved), 0) + dot.quantity
    return total


def outlived(recent: Mapping[str, int], hour: int) -> tuple[str, ...]:
    """Names of gone dots that need not be remembered any longer."""
    old = (name for name, stamp in recent.items() if stamp // 10_000 < hour - baskets.RECENT_HOURS)
    return tuple(sorted(old))[:FORGET_AT_ONCE]


def skus(edits: Iterable[Dot]) -> list[str]:
    """The SKUs of some dots, at most 50 for an event."""
    return sorted({dot.sku for dot in edits})[:50]
