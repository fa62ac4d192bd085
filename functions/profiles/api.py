"""Door: people over HTTPS. Golden records, identities, merges, history, export, erasure."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from commerce import audit, door, phones, problems, requests, tokens, writes
from commerce.principal import Principal
from commerce.types import ID_PATTERN, Country
from profiles import access, erasure, history, people, table, whereabouts
from profiles.golden import TooManyFields
from profiles.views import (
    CreateProfile,
    EditProfile,
    ErasureView,
    IdentityBody,
    Market,
    MergeProfiles,
    ProfileExportView,
    ProfileFields,
    ProfileListView,
    ProfileMergeView,
    ProfileUnmergeView,
    ProfileView,
    TimelineView,
    lookup,
)

app = door.rest()

ProfileId = Annotated[str, Path(pattern=ID_PATTERN, description="any profile of the person, merged ones too")]
MergeId = Annotated[str, Path(pattern=ID_PATTERN)]
Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=2000)]
Identity = Annotated[str, Query(min_length=3, max_length=320, examples=["email:anna@example.com"])]
InCountry = Annotated[Country | None, Query(description="of a phone number in its national spelling")]
InMarket = Annotated[Market | None, Query(description="whose country a phone number in its national spelling has")]

_EXPORTED_ENTRIES = 1000


@app.exception_handler(TooManyFields)
def _too_many_fields(error: TooManyFields) -> Response[object]:
    raise problems.invalid(["body", "preferences"], "This profile has too many different preferences.")


# ------------------------------------------------------------------------------------------------------ one profile


@app.post("/profiles", summary="Create a profile", tags=["profiles"], operation_id="createProfile", status_code=201)
@door.raises("identity-taken")
def create_profile(body: CreateProfile) -> Response[ProfileView]:
    """For staff and tills with `profiles:write`; customers get theirs by `GET /me`.

    With an Idempotency-Key a repeat answers the same profile.
    """
    caller = door.caller(app)
    caller.need("profiles:write")
    request = door.idempotent(app, caller, body) if door.header(app, "Idempotency-Key") is not None else None
    claims = whereabouts.claims(caller, body)
    try:
        profile_id, replayed = people.create(body.changes(), body.trust, claims, request), False
    except requests.AlreadyDone as repeat:
        assert request is not None
        profile_id, replayed = request.same(repeat.marker)["profile_id"], True
    except table.IdentityTaken as taken:
        raise _taken(caller, taken) from taken
    return door.answer(ProfileView.of(people.read(profile_id)), 201, replayed=replayed)


@app.get("/profiles", summary="Find a person", tags=["profiles"], operation_id="findProfiles")
def find_profiles(identity: Identity, country: InCountry = None, market: InMarket = None) -> ProfileListView:
    """By an identity, `kind:value`, in any spelling. For staff and tills with `profiles:read`.

    A phone number without its country belongs to `country`, else to that of `market`, else to where the till is.
    """
    caller = door.caller(app)
    caller.need("profiles:read")
    phone = identity.startswith("phone:") and not phones.names_its_country(identity.removeprefix("phone:"))
    try:
        claim = lookup(identity, whereabouts.country(caller, country, market) if phone else "")
    except ValueError as error:
        raise problems.invalid(["query", "identity"], str(error)) from error
    person = people.find(claim)
    return ProfileListView(items=[ProfileView.of(person)] if person else [])


@app.get("/profiles/<profile_id>", summary="A person's golden record", tags=["profiles"], operation_id="getProfile")
def get_profile(profile_id: ProfileId) -> ProfileView:
    """For staff with `profiles:read`, and one's own."""
    return ProfileView.of(access.person(door.caller(app), profile_id, "profiles:read"))


@app.put("/profiles/<profile_id>", summary="Tell a profile something", tags=["profiles"], operation_id="editProfile")
def edit_profile(profile_id: ProfileId, body: EditProfile) -> ProfileView:
    """For staff and tills with `profiles:write`. It stays on this very profile, whoever it is merged with."""
    door.caller(app).need("profiles:write")
    people.edit(profile_id, body.changes(), body.trust)
    return ProfileView.of(people.read(profile_id))


@app.get("/me", summary="My golden record", tags=["profiles"], operation_id="getMe")
@door.raises("profile-being-erased")
def get_me() -> ProfileView:
    """Made on first use."""
    with access.mine(door.caller(app)) as profile_id:
        return ProfileView.of(people.read(profile_id))


@app.put("/me", summary="Tell about myself", tags=["profiles"], operation_id="editMe")
@door.raises("profile-being-erased")
def edit_me(body: ProfileFields) -> ProfileView:
    """What a signed-in person says about themselves counts more than what staff or imports say."""
    with access.mine(door.caller(app)) as profile_id:
        people.edit(profile_id, body.changes(), "verified")
        return ProfileView.of(people.read(profile_id))


@app.post(
    "/profiles/<profile_id>/identities",
    summary="Attach an identity",
    tags=["profiles"],
    status_code=201,
    operation_id="addIdentity",
)
@door.raises("identity-taken", "too-many-identities")
def add_identity(profile_id: ProfileId, body: IdentityBody) -> Response[ProfileView]:
    """For staff and tills with `profiles:write`. One identity has one profile; attaching it again changes nothing."""
    caller = door.caller(app)
    caller.need("profiles:write")
    try:
        people.identify(profile_id, whereabouts.claim(caller, body))
    except table.IdentityTaken as taken:
        raise _taken(caller, taken) from taken
    return door.answer(ProfileView.of(people.read(profile_id)), 201)


# ---------------------------------------------------------------------------------------------------------- merging


@app.post(
    "/profiles/merges",
    summary="Two profiles are one person",
    tags=["profiles"],
    status_code=201,
    operation_id="mergeProfiles",
)
@door.raises("not-found", "too-many-merged")
def merge_profiles(body: MergeProfiles) -> Response[ProfileMergeView]:
    """For staff with `profiles:write`. Nothing moves, so undoing it leads back to exactly what was before."""
    caller = door.caller(app)
    caller.need("profiles:write")
    pair = (f"profile/{body.survivor_id}", f"profile/{body.absorbed_id}")
    entry = audit.entry(caller, "profile.merged", pair[0], other=pair[1])
    request = door.idempotent(app, caller, body).audited(entry)
    if body.survivor_id == body.absorbed_id:
        raise problems.invalid(["body", "absorbed_id"], "A profile cannot be merged with itself.")
    earlier = table.marker(request.pk)
    replayed = earlier is not None
    if earlier is None:
        try:
            merge_id = people.merge(body.survivor_id, body.absorbed_id, body.reason, caller.key, request)
        except requests.AlreadyDone as repeat:
            earlier, replayed = repeat.marker, True
    if earlier is not None:
        merge_id = request.same(earlier)["merge_id"]
    merge = table.merge(merge_id)
    if merge is None:
        raise problems.not_found("merge")
    return door.answer(ProfileMergeView.model_validate(merge), 201, replayed=replayed)


@app.delete("/profiles/merges/<merge_id>", summary="Undo a merge", tags=["profiles"], operation_id="unmergeProfiles")
def unmerge_profiles(merge_id: MergeId) -> ProfileUnmergeView:
    """For staff with `profiles:write`. Doing it twice changes nothing."""
    caller = door.caller(app)
    caller.need("profiles:write")
    entry = audit.entry(caller, "profile.unmerged", f"merge/{merge_id}")
    return ProfileUnmergeView.model_validate(people.unmerge(merge_id, entry))


# -------------------------------------------------------------------------------------------------- history, rights


@app.get(
    "/profiles/<profile_id>/timeline",
    summary="A person's history, newest first",
    tags=["profiles"],
    operation_id="getTimeline",
)
def get_timeline(profile_id: ProfileId, limit: Limit = 50, cursor: Cursor = None) -> TimelineView:
    """Over all channels and all profiles of the person. For staff with `profiles:read`, and one's own."""
    caller = door.caller(app)
    person = access.person(caller, profile_id, "profiles:read")
    scope = f"timeline/{caller.key}/{profile_id}"
    start = tokens.read_cursor(scope, cursor)
    entries, following = history.newest(person.customers, start["before"] if start else None, limit)
    return TimelineView.of(
        entries, person.customers, tokens.cursor(scope, {"before": following} if following else None)
    )


@app.get(
    "/profiles/<profile_id>/export",
    summary="Everything kept about a person",
    tags=["profiles"],
    operation_id="exportProfile",
)
def export_profile(profile_id: ProfileId) -> ProfileExportView:
    """With provenance, as data protection law asks. For the person, and for staff with `profiles:export`."""
    caller = door.caller(app)
    person = access.person(caller, profile_id, "profiles:export")
    entries, following = history.newest(person.customers, None, _EXPORTED_ENTRIES)
    cursor = tokens.cursor(f"timeline/{caller.key}/{profile_id}", {"before": following} if following else None)
    reasons = table.reasons(person.component, person.profiles)
    if entry := audit.entry(caller, "profile.exported", f"profile/{profile_id}"):
        writes.commit(audit.kept(table.TABLE, entry))  # before the answer: nobody takes a copy unseen
    return ProfileExportView.of(person, reasons, TimelineView.of(entries, person.customers, cursor))


@app.delete("/profiles/<profile_id>", summary="Erase a person", tags=["profiles"], operation_id="eraseProfile")
def erase_profile(profile_id: ProfileId) -> ErasureView:
    """With every profile merged into it; the answer is the receipt. For the person, and staff with `profiles:erase`."""
    caller = door.caller(app)
    access.may_erase(caller, profile_id)
    receipt = erasure.erase(profile_id, audit.entry(caller, "profile.erased", f"profile/{profile_id}"))
    return ErasureView.model_validate(receipt | {"receipt_id": receipt["erasure_id"]})


def _taken(caller: Principal, taken: table.IdentityTaken) -> problems.Problem:
    """Whose it is, is told only to those who may look anybody up."""
    known = {"profile_id": taken.profile_id} if caller.has("profiles:read") else {}
    return problems.conflict("identity-taken", "Another profile has this identity.", **known)


handler = door.handler(app)
