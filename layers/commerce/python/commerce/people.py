"""Whether somebody is known: the one thing other services ask the table of profiles."""

from commerce import reads


def known(profile_id: str) -> bool:
    """Whether there is such a profile that was not erased. A customer's first profile has the customer's id."""
    found = reads.get("PROFILES", (f"P#{profile_id}", "-"))
    return found is not None and found.get("state") == "active"
