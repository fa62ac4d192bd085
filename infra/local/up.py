"""Start the whole platform on this machine: local cloud, stand-in providers, the API at a short address, demo data.

Everything listens on 127.0.0.1 and runs until `mandje down`. Starting twice is fine; a platform that was left
half-started is cleaned up first. What runs where is written to `.mandje/platform.json`.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import shutil
import sys
import time
import uuid
from importlib.util import find_spec
from typing import Any

from infra import sam
from infra import template as templates
from infra.deploy import Deployed
from infra.local import kept, laptop
from infra.local.down import take_down
from infra.local.laptop import CLOUD_PYTHON, LOGS, STATE, TEMPORARY, Ports, Run
from infra.local.processes import Process, port_is_free, start, wait_until
from infra.say import Sorry, Steps, bold, dim, green, shown

# argument, what a person writes after `make up`, what listens there
_PORTS = {
    "api": ("port", "PORT", "the API"),
    "ministack": ("ministack_port", "MINISTACK_PORT", "the local cloud"),
    "stripe": ("stripe_port", "STRIPE_PORT", "the Stripe stand-in"),
    "mollie": ("mollie_port", "MOLLIE_PORT", "the Mollie stand-in"),
    "issuer": ("issuer_port", "ISSUER_PORT", "the token issuer"),
}
TOKEN_LIFETIME_S = 30 * 86400
CUSTOMER = "11111111-1111-4111-8111-111111111111"
CUSTOMER_2 = "22222222-2222-4222-8222-222222222222"
STAFF = "33333333-3333-4333-8333-333333333333"
TILL = "44444444-4444-4444-8444-444444444444"
HOME_STORE = "ams-kalverstraat"
TILL_SCOPES = [
    "basket:serve", "stock:write", "orders:read", "orders:write",
    "payments:read", "payments:write", "payments:refund", "profiles:read", "profiles:write",
]  # fmt: skip
ALL_SCOPES = [
    "catalog:write", "locations:write", "payments:account", "profiles:export", "profiles:erase", *TILL_SCOPES,
]  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mandje up`."""
    default = Ports()
    parser.add_argument("--keep", action="store_true", help="keep tables and orders over restarts (make up KEEP=1)")
    for name, (argument, _, what) in _PORTS.items():
        parser.add_argument(
            f"--{argument.replace('_', '-')}",
            type=_port,
            default=getattr(default, name),
            metavar="N",
            help=f"port of {what} (default: {getattr(default, name)})",
        )
    parser.add_argument("--no-seed", action="store_true", help="start with an empty shop")


def run(args: argparse.Namespace) -> int:
    """Start it, or say that it runs already."""
    ports = Ports(**{name: getattr(args, argument) for name, (argument, _, _) in _PORTS.items()})
    with laptop.exclusive():
        earlier = Run.load()
        if earlier and earlier.running:
            print(f"  Mandje is already running at {bold(earlier.ports.url('api'))}, data since {earlier.since}.")
            print(dim("  make status tells more; make down stops it."))
            return 0
        steps = Steps()
        if earlier:
            print("  A platform was left half-started here; cleaning it up.")
            take_down(earlier, steps)
        _check(ports)
        data = kept.begin(ports.ministack) if args.keep else None
        if data and data.lost:
            print(f"  {data.lost}")
        starting = Run(ports, args.keep, data.since if data else laptop.now())
        try:
            described = _start(starting, steps, seed=not args.no_seed)
        except BaseException:
            take_down(starting, Steps(quiet=True))
            raise
        if data:
            kept.running(data)
        starting.ready = True
        starting.save()
    _summary(described, steps.elapsed, starting)
    return 0


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port (1-65535)")
    return number


# ------------------------------------------------------------------------------------------------------- what it needs


def _check(ports: Ports) -> None:
    """`Sorry`, one sentence, for the first thing that is missing or taken."""
    if not CLOUD_PYTHON.exists():
        raise Sorry("the local cloud is not installed yet: use `make up`, which does that.")
    if not sam.TEMPLATE.exists():
        raise Sorry("there is no template.yaml here.")
    used: dict[int, str] = {}
    for name, (_, option, what) in _PORTS.items():
        port = getattr(ports, name)
        if port in used:
            raise Sorry(f"{what} and {used[port]} cannot share port {port}: make up {option}={port + 1}")
        used[port] = what
        if not port_is_free(port):
            raise Sorry(f"port {port}, wanted for {what}, is taken; choose another: make up {option}={port + 10}")


# ------------------------------------------------------------------------------------------------------------ the steps


def _start(run: Run, steps: Steps, *, seed: bool) -> dict[str, Any]:
    """Bring everything up in order; returns what `platform.json` holds."""
    ports = run.ports
    with steps("local cloud, providers"):
        cloud, providers = _start_cloud(run), _start_providers(run)
        wait_until(cloud, lambda: laptop.answers(f"{ports.url('ministack')}/_ministack/health"), 20)
        wait_until(providers, lambda: _all_answer(ports), 20)
    with steps("build") as step:
        built = laptop.artefacts()
        step.note = f"{len(built)} artefacts"
    with steps("deploy template.yaml") as step:
        values = laptop.put_secrets(ports)
        deployed = laptop.deploy_stack(ports, built)
        step.note = f"{len(deployed.resources)} resources" + ("" if deployed.changed else ", nothing changed")
    with steps("API"):
        _start_front(run, deployed)
    described = {
        "api_url": ports.url("api"),
        "tokens": _tokens(ports),
        "providers": {
            "stripe": {
                "url": ports.url("stripe"),
                "account": "default",
                "secret_key": values["stripe/default"]["secret_key"],
                "webhook_secret": values["stripe/default"]["webhook_secrets"][0],
                "webhook_url": f"{ports.url('api')}/webhooks/stripe/default",
            },
            "mollie": {
                "url": ports.url("mollie"),
                "account": "default",
                "api_key": values["mollie/default"]["api_key"],
                "webhook_secret": values["mollie/default"]["webhook_secrets"][0],
                "webhook_url": f"{ports.url('api')}/webhooks/mollie/default",
            },
        },
        "issuer": ports.url("issuer"),
        "aws_endpoint": ports.url("ministack"),
        "region": laptop.REGION,
        "stack": laptop.STACK,
        "started_at": run.since,
        "keep": run.keep,
        "customers": {"customer": CUSTOMER, "customer2": CUSTOMER_2},
        "pids": {each.name: each.pid for each in run.processes},
        "logs": str(LOGS),
        "locations": [],
        "skus": [],
        **laptop.describe(ports, deployed),
    }
    with steps("warm functions") as step:
        step.note = f"{_warm(ports, described)} functions"
    if seed and find_spec("infra.local.seed"):
        with steps("demo shop") as step:
            step.note = _seed(described)
    laptop.write(laptop.PLATFORM, described)
    tokens = "".join(f"export {name.upper()}={token}\n" for name, token in described["tokens"].items())
    laptop.write(laptop.ENVIRONMENT, f"export API={described['api_url']}\n{tokens}")
    return described


def _launch(run: Run, name: str, command: list[str], **variables: str) -> Process:
    """Start one process and record it at once."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PYTHON", "MINISTACK"))}
    process = start(name, command, LOGS / f"{name}.log", env={**inherited, **variables}, cwd=sam.ROOT)
    run.processes.append(process)
    run.save()
    return process


def _start_cloud(run: Run) -> Process:
    shutil.rmtree(TEMPORARY, ignore_errors=True)
    TEMPORARY.mkdir(parents=True)
    variables = {
        "BIND_HOST": "127.0.0.1",  # the default is every interface of the machine
        "GATEWAY_PORT": str(run.ports.ministack),
        "MINISTACK_REGION": laptop.REGION,
        "IOT_MTLS_ENABLED": "0",  # both would listen on ports of their own
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",  # nothing here needs Docker; do not look for containers
        "LAMBDA_WARM_TTL_SECONDS": "60",  # workers of a burst; the first one of a function stays
        "TMPDIR": str(TEMPORARY),
        "PYTHONUNBUFFERED": "1",
    }
    if run.keep:
        variables |= {"PERSIST_STATE": "1", "STATE_DIR": str(kept.CLOUD)}
    return _launch(run, "cloud", [str(CLOUD_PYTHON), "-P", str(sam.ROOT / "infra/local/cloud.py")], **variables)


def _start_providers(run: Run) -> Process:
    ports = run.ports
    command = [sys.executable, "-m", "infra.local.providers.server", "--state", str(STATE / "providers")]
    for name in ("stripe", "mollie", "issuer"):
        command += [f"--{name}-port", str(getattr(ports, name))]
    command += ["--stripe-webhook", f"{ports.url('api')}/webhooks/stripe/default"]
    return _launch(run, "providers", command + ["--keep", str(kept.PROVIDERS)] * run.keep)


def _start_front(run: Run, deployed: Deployed) -> None:
    command = [sys.executable, "-m", "infra.local.front", "--port", str(run.ports.api)]
    command += ["--upstream", laptop.stage_url(run.ports, deployed)]
    command += ["--parameters", json.dumps(laptop.parameters(run.ports))]
    process = _launch(run, "api", command)
    wait_until(process, lambda: laptop.answers(f"{run.ports.url('api')}/_local/health"), 15)


def _all_answer(ports: Ports) -> bool:
    return all(laptop.answers(f"{ports.url(name)}/healthz") for name in ("stripe", "mollie", "issuer"))


def _tokens(ports: Ports) -> dict[str, str]:
    """Ready-made bearer tokens, signed with the issuer's own key."""
    from infra.local.providers.issuer import Issuer

    issuer = Issuer(ports.url("issuer"), "mandje", STATE / "providers", time.time)

    def mint(sub: str, kind: str, name: str, scopes: list[str], location: str | None = None) -> str:
        return issuer.mint(sub, kind, scopes, location, name, TOKEN_LIFETIME_S)

    return {
        "customer": mint(CUSTOMER, "customer", "Sanne de Vries", []),
        "customer2": mint(CUSTOMER_2, "customer", "Mo Bakker", []),
        "staff": mint(STAFF, "staff", "Store manager", ALL_SCOPES, HOME_STORE),
        "device": mint(TILL, "device", "Till 1", TILL_SCOPES, HOME_STORE),
    }


def _warm(ports: Ports, described: dict[str, Any]) -> int:
    """Start one worker of every function behind the API, so that the first request of a person is quick."""
    model = templates.load()
    doors = {route.function for route in model.routes} | {each.function for each in model.api.authorizers.values()}
    client = laptop.cloud(ports).client("lambda")
    request = {
        "resource": "/_local/warm",
        "path": "/_local/warm",
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "requestContext": {
            "resourcePath": "/_local/warm",
            "httpMethod": "GET",
            "path": "/_local/warm",
            "stage": "v1",
            "requestId": str(uuid.uuid4()),
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": None,
        "isBase64Encoded": False,
        # what an authorizer is asked
        "type": "TOKEN",
        "authorizationToken": f"Bearer {described['tokens']['staff']}",
        "methodArn": "arn:aws:execute-api:eu-west-1:000000000000:local/v1/GET/",
    }

    def invoke(logical: str) -> None:
        # The answer does not matter (nothing is behind this path); the process stays.
        client.invoke(FunctionName=described["functions"][logical]["name"], Payload=json.dumps(request))

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return len(list(pool.map(invoke, sorted(doors))))


def _seed(described: dict[str, Any]) -> str:
    """Fill the shop through its own API; adds locations and SKUs to what is known of the platform."""
    from infra.client import Unexpected
    from infra.local import retailer, seed

    try:
        counts = seed.main(described)
    except Unexpected as answer:
        raise Sorry(
            f"the demo shop cannot be set up, because {answer}; why is in {shown(LOGS)} "
            f"(ARGS=--no-seed starts an empty shop)"
        ) from answer
    described["locations"] = list(retailer.locations())
    described["skus"] = [product["sku"] for product in retailer.products()]
    return ", ".join(f"{count} {what}" for what, count in counts.items())


# -------------------------------------------------------------------------------------------------------------- summary


def _summary(described: dict[str, Any], seconds: float, run: Run) -> None:
    api, ports = described["api_url"], run.ports
    sku = "TEE-NAVY-M" if "TEE-NAVY-M" in described["skus"] else "SKU"
    kept = f"kept over restarts, since {run.since}" if run.keep else "gone after make down; make up KEEP=1 keeps it"
    print(f"\n  {green('Mandje is up')} after {seconds:.1f} s. Data: {kept}.\n")
    rows = [
        ("API", api, f"the contract is at {api}/docs"),
        ("Stripe", ports.url("stripe"), "stand-in"),
        ("Mollie", ports.url("mollie"), "stand-in"),
        ("Tokens", ports.url("issuer"), "OpenID Connect issuer: POST /token"),
        ("Cloud", ports.url("ministack"), "AWS SDKs: endpoint_url, any key"),
        ("Files", shown(laptop.PLATFORM), f"all of this; mandje logs; {shown(LOGS)}"),
    ]
    for name, where, what in rows:
        print(f"  {name:8} {bold(where):{26 + len(bold(''))}} {dim(what)}")
    print(f"\n  Tokens, good for 30 days; `. {shown(laptop.ENVIRONMENT)}` sets them as variables:\n")
    for name, token in described["tokens"].items():
        print(f"  {name.upper()}={dim(token)}")
    add = (
        f"""B=$(curl -s {api}/baskets -H 'Content-Type: application/json' -d '{{"channel":"web"}}'); """
        f"""curl {api}/baskets/$(echo "$B" | sed 's/.*"basket_id": *"\\([^"]*\\)".*/\\1/')/lines """
        f"""-H "Authorization: Bearer $(echo "$B" | sed 's/.*"token": *"\\([^"]*\\)".*/\\1/')" """
        f"""-H "Idempotency-Key: $(date +%s)" -H 'Content-Type: application/json' """
        f"""-d '{{"sku":"{sku}","quantity":2}}'"""
    )
    print("\n  A product; a guest's basket with a line in it; stock nearby:\n")
    print(f"  curl {api}/products/{sku}")
    print(f"  {add}")
    print(f"  curl '{api}/stock/{sku}?near=52.37,4.90'\n")
