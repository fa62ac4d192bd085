"""The word `mandje deploy`: build, deploy, print where it is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, WaiterError

from infra import build, sam
from infra.build import Target
from infra.deploy import Cloud, deploy
from infra.local import laptop
from infra.say import Sorry, Steps, bold, dim


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mandje deploy`."""
    parser.add_argument("--stack", default="mandje", help="name of the stack (default: mandje)")
    parser.add_argument("--bucket", help="bucket for the artefacts (default: mandje-artefacts-<account>-<region>)")
    parser.add_argument("--region", help="AWS region (default: that of your AWS configuration)")
    parser.add_argument("--endpoint", help="another cloud than AWS, e.g. http://127.0.0.1:4577")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template; may be repeated; the ones not given keep their value",
    )
    parser.add_argument(
        "--local", action="store_true", help="deploy what changed to the platform that `mandje up` started"
    )
    parser.add_argument("--template", type=Path, default=sam.TEMPLATE, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Build, deploy, print the outputs."""
    if args.local:
        return laptop.redeploy()
    parameters = dict(_pair(each) for each in args.parameter)
    steps = Steps()
    cloud = Cloud(args.endpoint, args.region)
    try:
        region = cloud.client("s3").meta.region_name
        account = cloud.client("sts").get_caller_identity()["Account"]
        target = Target.aws(args.template)
        with steps("build") as step:
            artefacts = build.build(target, args.template)
            step.note = f"{len(artefacts)} artefacts" + ("" if target.python else ", without bytecode")
        print(f"  deploy '{args.stack}' to account {account}, {region}")
        deployed = deploy(
            cloud,
            sam.load(args.template),
            artefacts,
            stack=args.stack,
            bucket=args.bucket or f"mandje-artefacts-{account}-{region}",
            parameters=parameters,
            progress=lambda line: print(dim(f"    {line}"), flush=True),
        )
    except NoCredentialsError:
        raise Sorry("there are no AWS credentials here; log in first (aws sso login), or use `make up`.") from None
    except (BotoCoreError, ClientError, WaiterError) as error:
        raise Sorry(f"AWS answers: {error}") from error
    print(f"  {'deployed' if deployed.changed else 'nothing changed'} in {steps.elapsed:.0f} s\n", file=sys.stderr)
    for name, value in deployed.outputs.items():
        print(f"  {bold(name)}  {value}")
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Sorry(f"'{text}' is not NAME=VALUE.")
    return name, value
