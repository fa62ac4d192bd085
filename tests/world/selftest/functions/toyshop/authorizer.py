"""Tokens: `Bearer good` may do everything but /closed, `Bearer crash` breaks, anything else is unknown."""

from typing import Any

from commerce import aws


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An IAM policy, as API Gateway wants it."""
    match event["authorizationToken"].removeprefix("Bearer "):
        case "good":
            print('{"decided": "allow"}')
            api = event["methodArn"].rsplit("/", 2)[0]
            allow = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": [f"{api}/*"]}
            deny = {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": f"{api}/GET/closed"}
            policy = {"Version": "2012-10-17", "Statement": [allow, deny]}
            return {"principalId": "toy", "policyDocument": policy, "context": {"staff": True, "level": 3}}
        case "crash":
            aws.client("dynamodb").describe_table(TableName="NoSuchTable")
    raise Exception("Unauthorized")
