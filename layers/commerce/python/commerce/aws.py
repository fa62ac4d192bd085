"""AWS clients: one per service and process, with pinned retries and time limits."""

import os
from typing import Any

_clients: dict[str, Any] = {}


def client(service: str) -> Any:
    """The low-level client of a service, created on first use.

    Imported late, so that doors that never call AWS stay light. Standard retries, three attempts, two seconds to
    read: a Lambda must give up before its own time does. `botocore` is used directly because `boto3` adds 20 ms of
    import for nothing we need.
    """
    if service not in _clients:
        from botocore.config import Config
        from botocore.session import Session

        config = Config(
            retries={"mode": "standard", "max_attempts": 3},
            connect_timeout=2,
            read_timeout=float(os.environ.get("AWS_READ_TIMEOUT", "2")),
            max_pool_connections=10,
            tcp_keepalive=True,
            user_agent_extra="mandje",
        )
        _clients[service] = Session().create_client(service, config=config)
    return _clients[service]


def reset() -> None:
    """Forget all clients. For tests that change the endpoint or the account."""
    _clients.clear()


def table(name: str) -> str:
    """The deployed name of a table: `table("STOCK")` reads `STOCK_TABLE`."""
    return os.environ[f"{name}_TABLE"]
