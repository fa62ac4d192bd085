"""Deploy `template.yaml`: the same change set on AWS and on the local cloud; only the endpoint differs.

Artefacts go to a bucket under their content hash, the template's CodeUri and ContentUri point there, and CloudFormation
does the rest. Nothing changed means nothing is done.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from infra import sam
from infra.build import Artefact
from infra.say import Sorry

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
# CloudFormation finished, one way or the other.
_SETTLED = ("COMPLETE", "FAILED")


@dataclass(frozen=True)
class Cloud:
    """Which cloud: AWS with the credentials of the environment, or an endpoint on this machine."""

    endpoint: str | None = None
    region: str | None = None

    def client(self, service: str) -> Any:
        """A boto3 client there."""
        session = boto3.session.Session(region_name=self.region)
        if self.endpoint is None:
            return session.client(service, config=Config(retries={"mode": "standard", "max_attempts": 8}))
        return session.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the local cloud checks no signature
            config=Config(retries={"mode": "standard", "max_attempts": 2}, s3={"addressing_style": "path"}),
        )


@dataclass(frozen=True)
class Deployed:
    """What stands after a deployment."""

    changed: bool
    outputs: dict[str, str]
    resources: dict[str, str]
    """Logical id -> physical id, of every resource."""
    kinds: dict[str, str]
    """Logical id -> CloudFormation type."""

    def of_type(self, kind: str) -> dict[str, str]:
        """Logical id -> physical id of one CloudFormation type."""
        return {name: self.resources[name] for name, each in self.kinds.items() if each == kind}


def deploy(
    cloud: Cloud,
    template: Mapping[str, Any],
    artefacts: list[Artefact],
    *,
    stack: str,
    bucket: str,
    parameters: Mapping[str, str],
    progress: Callable[[str], None] = lambda line: None,
) -> Deployed:
    """Create or update the stack and wait for it; `Sorry` names the first resource that failed and why."""
    s3, cloudformation = cloud.client("s3"), cloud.client("cloudformation")
    _make_bucket(s3, bucket)
    uploaded = _upload(s3, bucket, artefacts, progress)
    body = json.dumps(_point_to(template, bucket, uploaded)).encode()
    known = template.get("Parameters", {})
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise Sorry(f"the template has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
    key = f"template/{hashlib.sha256(body).hexdigest()[:20]}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}).split("?")[0]
    started = time.time()
    changed = _change(cloudformation, stack, url, parameters, progress, started)
    return _describe(cloudformation, stack, changed)


# ---------------------------------------------------------------------------------------------------------- artefacts


def _make_bucket(s3: Any, bucket: str) -> None:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise Sorry(f"the bucket '{bucket}' cannot be used: {error.response['Error']['Message']}.") from error
        region = s3.meta.region_name
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **where)  # private, encrypted and closed to the public since 2023


def _upload(s3: Any, bucket: str, artefacts: list[Artefact], progress: Callable[[str], None]) -> dict[str, str]:
    """`layer/vendor` or `service/basket` -> key in the bucket; what is already there is not sent again."""

    def one(artefact: Artefact) -> tuple[str, str]:
        key = f"{artefact.kind}/{artefact.name}/{artefact.digest}.zip"
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            progress(f"upload {artefact.kind} {artefact.name} ({artefact.zipped_bytes / 1e3:.0f} kB)")
            s3.put_object(Bucket=bucket, Key=key, Body=artefact.zip.read_bytes())
        return f"{artefact.kind}/{artefact.name}", key

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return dict(pool.map(one, artefacts))


def _point_to(template: Mapping[str, Any], bucket: str, uploaded: Mapping[str, str]) -> dict[str, Any]:
    """The template with its folders replaced by what was uploaded."""
    pointed: dict[str, Any] = json.loads(json.dumps(template))
    pointed.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for properties in sam.of_type(pointed, sam.FUNCTION).values():
        properties["CodeUri"] = f"s3://{bucket}/{uploaded[f'service/{sam.service_of(properties)}']}"
    for properties in sam.of_type(pointed, sam.LAYER).values():
        name = sam.folder_name(properties["ContentUri"])
        if f"layer/{name}" in uploaded:
            properties["ContentUri"] = f"s3://{bucket}/{uploaded[f'layer/{name}']}"
    return pointed


# ---------------------------------------------------------------------------------------------------------- change set


def _change(
    cloudformation: Any,
    stack: str,
    url: str,
    parameters: Mapping[str, str],
    progress: Callable[[str], None],
    now: float,
) -> bool:
    """Create and execute a change set; False when there was nothing to change."""
    status = _status(cloudformation, stack)
    if status == "ROLLBACK_COMPLETE":  # a first deployment that failed: an empty shell which accepts nothing else
        cloudformation.delete_stack(StackName=stack)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)
        status = None
    if status and status.endswith("IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        raise Sorry(f"the stack '{stack}' is busy ({status}); try again when it is done.")
    fresh = status in (None, "REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
    kept = {} if fresh else _current_parameters(cloudformation, stack)
    name = f"deploy-{int(now * 1000)}"
    given: list[dict[str, Any]] = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    # A parameter that is not given keeps the value it has, as with `aws cloudformation deploy`.
    given += [{"ParameterKey": key, "UsePreviousValue": True} for key in kept if key not in parameters]
    try:
        change_set = cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="CREATE" if fresh else "UPDATE",
            TemplateURL=url,
            Parameters=given,
            Capabilities=CAPABILITIES,
        )["Id"]
    except ClientError as error:
        raise Sorry(f"CloudFormation refuses the template: {error.response['Error']['Message']}") from error
    described = _settled(lambda: cloudformation.describe_change_set(StackName=stack, ChangeSetName=change_set))
    if described["Status"] == "FAILED":
        reason = described.get("StatusReason", "no reason given")
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=change_set)
        if any(each in reason for each in _NO_CHANGES):
            return False
        raise Sorry(f"CloudFormation refuses the template: {reason}")
    if not described.get("Changes") and not fresh:
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=change_set)
        return False
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=change_set)
    _watch(cloudformation, stack, progress, since=now)
    return True


def _status(cloudformation: Any, stack: str) -> str | None:
    try:
        return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _current_parameters(cloudformation: Any, stack: str) -> list[str]:
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return [each["ParameterKey"] for each in described.get("Parameters", [])]


def _settled(describe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    pause = 0.05
    while not (answer := describe())["Status"].endswith(_SETTLED):
        time.sleep(pause)
        pause = min(pause * 1.5, 3)
    return answer


def _watch(cloudformation: Any, stack: str, progress: Callable[[str], None], since: float) -> None:
    """Wait for the stack, telling each resource as it is done; `Sorry` when it failed."""
    told: set[str] = set()
    failures: list[str] = []
    pause = 0.05
    while True:
        status = _status(cloudformation, stack) or "DELETE_COMPLETE"
        for event in reversed(_events(cloudformation, stack, since)):
            if event["EventId"] in told:
                continue
            told.add(event["EventId"])
            what, how = event["LogicalResourceId"], event["ResourceStatus"]
            if how.endswith("_FAILED"):
                failures.append(f"{what}: {event.get('ResourceStatusReason', how)}")
            if how.endswith(_SETTLED):
                progress(f"{how.lower().replace('_', ' ')} {what}")
        if status.endswith(_SETTLED):
            break
        time.sleep(pause)
        pause = min(pause * 1.5, 3)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        # The later failures are "cancelled because of" the first one.
        raise Sorry(f"the deployment of '{stack}' ended in {status}: {failures[0] if failures else 'no reason given'}")


def _events(cloudformation: Any, stack: str, since: float) -> list[dict[str, Any]]:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    events: list[dict[str, Any]] = []
    for page in pages:
        for event in page["StackEvents"]:
            if event["Timestamp"].timestamp() < since - 5:  # older deployments; 5 s for clocks that differ
                return events
            events.append(event)
    return events


def _describe(cloudformation: Any, stack: str, changed: bool) -> Deployed:
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
    resources, kinds = {}, {}
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for each in page["StackResourceSummaries"]:
            resources[each["LogicalResourceId"]] = each.get("PhysicalResourceId", "")
            kinds[each["LogicalResourceId"]] = each["ResourceType"]
    return Deployed(changed, outputs, resources, kinds)
