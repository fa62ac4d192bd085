"""The running platform as the commands see it: where it is kept, what of it is alive, what everybody may know of it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra import build, deploy, sam
from infra.build import Artefact, Target
from infra.local.processes import Process
from infra.say import Sorry, Steps

HOME = sam.ROOT / ".mandje"
CLOUD_PYTHON = HOME / "ministack" / "bin" / "python"
# What belongs to one run. Elsewhere (MANDJE_RUN) for a second platform beside the developer's own, as tests start.
HERE = Path(os.environ.get("MANDJE_RUN") or HOME)
RUN = HERE / "run.json"
PLATFORM = HERE / "platform.json"
ENVIRONMENT = HERE / "env"
STATE = HERE / "state"
LOGS = HERE / "logs"
TEMPORARY = HERE / "tmp"

REGION = "eu-west-1"
STACK = "mandje"
BUCKET = "mandje-artefacts"
SECRETS_PATH = "/mandje"

# Resource types of the template that the local cloud's CloudFormation does not know, and nothing here needs.
_NOT_HERE = {sam.LAYER, "AWS::Events::Archive"}


@dataclass(frozen=True)
class Ports:
    """Where everything listens on 127.0.0.1."""

    api: int = 8787
    ministack: int = 4577
    stripe: int = 12111
    mollie: int = 12112
    issuer: int = 12113

    def url(self, name: str) -> str:
        """Address of one of them."""
        return f"http://127.0.0.1:{getattr(self, name)}"


@dataclass
class Run:
    """One run of the platform, as recorded in `.mandje/run.json` while it is being started and after."""

    ports: Ports
    keep: bool
    since: str
    """When its data began, UTC; older than the processes when KEEP=1 brought it back."""
    ready: bool = False
    processes: list[Process] = field(default_factory=list)

    def save(self) -> None:
        """Record it; called after every step, so that a half-started platform can be found and stopped."""
        write(RUN, {**asdict(self), "processes": [each.as_json() for each in self.processes]})

    @classmethod
    def load(cls) -> Run | None:
        """The recorded run, or None."""
        try:
            saved = json.loads(RUN.read_text())
            processes = [Process(**each) for each in saved.pop("processes")]
            return cls(**{**saved, "ports": Ports(**saved["ports"]), "processes": processes})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def process(self, name: str) -> Process:
        """One of its processes."""
        return next(each for each in self.processes if each.name == name)

    @property
    def alive(self) -> list[Process]:
        """Those that still run."""
        return [each for each in self.processes if each.alive]

    @property
    def running(self) -> bool:
        """Was it started completely, and does all of it still run and answer?"""
        whole = self.ready and len(self.alive) == len(self.processes)
        return whole and answers(f"{self.ports.url('api')}/_local/health")


@contextmanager
def exclusive() -> Iterator[None]:
    """One `up`, `down` or redeploy at a time."""
    HERE.mkdir(parents=True, exist_ok=True)
    with (HERE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Sorry("another `mandje up` or `down` is at work here; wait for it.") from None
        yield


def read() -> dict[str, Any]:
    """What `.mandje/platform.json` says; `Sorry` when the platform is not up."""
    run = Run.load()
    if run is None or not run.ready:
        raise Sorry("nothing is running here: start the platform with `make up` first.")
    platform: dict[str, Any] = json.loads(PLATFORM.read_text())
    return platform


def write(path: Path, content: Mapping[str, Any] | str) -> None:
    """Replace a file in one step, readable by its owner only: it may hold tokens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(content if isinstance(content, str) else json.dumps(content, indent=2) + "\n")
    draft.replace(path)


def answers(url: str) -> bool:
    """Does it answer a GET with 200?"""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def now() -> str:
    """UTC, ISO 8601, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


# ------------------------------------------------------------------------------------------------------- deployment


def cloud(ports: Ports) -> deploy.Cloud:
    """The local cloud as a place to deploy to."""
    return deploy.Cloud(ports.url("ministack"), REGION)


def artefacts() -> list[Artefact]:
    """Artefacts for the interpreter that runs the functions here, which is ministack's."""
    return build.build(Target.local(str(CLOUD_PYTHON)))


def parameters(ports: Ports) -> dict[str, str]:
    """Template parameters that make the stack a local one."""
    return {
        "OidcIssuer": ports.url("issuer"),
        "StripeApiUrl": ports.url("stripe"),
        "MollieApiUrl": ports.url("mollie"),
        "PublicUrl": ports.url("api"),
        "SecretsPath": SECRETS_PATH,
        "PriceCacheSeconds": "0",  # whoever changes a price here wants to see it
    }


def deploy_stack(ports: Ports, built: list[Artefact]) -> deploy.Deployed:
    """Deploy the template to the local cloud; what is there already is updated."""
    services = [each for each in built if each.kind == "service"]
    return deploy.deploy(
        cloud(ports), localised(built), services, stack=STACK, bucket=BUCKET, parameters=parameters(ports)
    )


def localised(built: list[Artefact], path: Path = sam.TEMPLATE) -> dict[str, Any]:
    """The template for the local cloud. Resources, routes, events and permissions stay as they are; what changes:

    - Layers become a PYTHONPATH to their built folders. The local cloud would unpack every layer zip (13 MB) again
      for every worker process it starts; so one start costs 0.4 s instead of 1.2 s. Its workers get the variable
      before they start, hence our packages win over those of its own environment, as they would on Lambda.
    - A queue feeds at most two workers of its function at a time: each is a process, and two cores are soon full.
    - Functions wait longer for an answer of the local cloud, which on a busy laptop is slower than DynamoDB.
    """
    template = sam.load(path)
    folders = {each.name: each.folder / "python" for each in built if each.kind == "layer"}
    layers = {name: sam.layers_of(template, each) for name, each in sam.functions(template).items()}
    template.get("Globals", {}).get("Function", {}).pop("Layers", None)
    for name, function in sam.of_type(template, sam.FUNCTION).items():
        function.pop("Layers", None)
        variables = function.setdefault("Environment", {}).setdefault("Variables", {})
        variables["PYTHONPATH"] = os.pathsep.join(str(folders[layer]) for layer in layers[name])
        variables["AWS_READ_TIMEOUT"] = "10"
        for event in function.get("Events", {}).values():
            if event["Type"] == "SQS":
                event["Properties"].setdefault("ScalingConfig", {"MaximumConcurrency": 2})
    template["Resources"] = {
        name: resource for name, resource in template["Resources"].items() if resource["Type"] not in _NOT_HERE
    }
    return template


def stage_url(ports: Ports, deployed: deploy.Deployed) -> str:
    """The API's own, long address on the local cloud."""
    (api,) = deployed.of_type("AWS::ApiGateway::RestApi").values()
    (stage,) = deployed.of_type("AWS::ApiGateway::Stage").values()
    return f"{ports.url('ministack')}/restapis/{api}/{stage}/_user_request_"


def describe(ports: Ports, deployed: deploy.Deployed) -> dict[str, Any]:
    """Functions, tables, queues and the bus as deployed: the part of `platform.json` that a deployment decides."""
    configured = {
        each["FunctionName"]: each
        for page in cloud(ports).client("lambda").get_paginator("list_functions").paginate()
        for each in page["Functions"]
    }
    functions = {}
    for logical, physical in deployed.of_type("AWS::Lambda::Function").items():
        variables = configured[physical].get("Environment", {}).get("Variables", {})
        functions[logical] = {
            "name": physical,
            "handler": configured[physical]["Handler"],
            "env": {name: value for name, value in variables.items() if name != "PYTHONPATH"},
        }
    return {
        "stage_url": stage_url(ports, deployed),
        "functions": functions,
        "tables": deployed.of_type("AWS::DynamoDB::Table"),
        "queues": deployed.of_type("AWS::SQS::Queue"),
        "bus": deployed.outputs.get("BusName", ""),
    }


def redeploy() -> int:
    """`mandje deploy --local`: bring a changed template or changed code to the running platform."""
    platform = read()
    with exclusive():
        run = Run.load()
        assert run is not None
        steps = Steps()
        with steps("build") as step:
            built = artefacts()
            step.note = f"{len(built)} artefacts"
        with steps("deploy") as step:
            deployed = deploy_stack(run.ports, built)
            step.note = "changed" if deployed.changed else "nothing changed"
        described = describe(run.ports, deployed)
        if described["stage_url"] != platform["stage_url"]:
            raise Sorry("the API was replaced by another one: `make down up`.")
        write(PLATFORM, {**platform, **described})
    return 0


# ---------------------------------------------------------------------------------------------------------- secrets


def own_secrets() -> dict[str, Any]:
    """Secrets of this installation, made once and kept: guest tokens and personal data stay readable over restarts."""
    path = STATE / "secrets.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    fresh = {
        "tokens": {"current": "local-1", "keys": {"local-1": secrets.token_hex(32)}},
        "profiles": {"index_key": secrets.token_hex(32), "master_key": secrets.token_hex(32)},
        "mollie/default": {"webhook_secrets": [secrets.token_hex(16)]},
    }
    if missing := {name: value for name, value in fresh.items() if name not in known}:
        known |= missing  # the first time, or the first time after one was added here
        write(path, known)
    return known


def put_secrets(ports: Ports) -> dict[str, Any]:
    """Put every secret where the functions read it; returns them by name, the stand-in providers' included."""
    theirs = json.loads((STATE / "providers" / "secrets.json").read_text())
    own = own_secrets()
    values = {
        **own,
        "stripe/default": {
            "secret_key": theirs["stripe_key"],
            "webhook_secrets": theirs["stripe_webhook_secrets"],
            "livemode": False,
        },
        # Mollie's classic webhooks carry an id and no signature; its next-generation ones would be signed with this.
        "mollie/default": {"api_key": theirs["mollie_key"], "livemode": False} | own["mollie/default"],
    }
    ssm = cloud(ports).client("ssm")
    for name, value in values.items():
        ssm.put_parameter(Name=f"{SECRETS_PATH}/{name}", Value=json.dumps(value), Type="SecureString", Overwrite=True)
    return values
