"""What Ray's errors mean, for Ray's driver, beside which this lies."""

from __future__ import annotations

from typing import Any


def unreachable(address: str, error: Exception) -> tuple[str, str, str]:
    """What, why and next of a cluster that cannot be connected to. Ray does not say whether it lacks the cluster's token."""
    return (
        f"no Ray cluster answers at {address}",
        last_line(error),
        "start one (`ray start --head`), correct --ray_address, set RAY_AUTH_MODE=token for one that has a token, or use local:2",
    )


def outcome(ray: Any, reference: Any) -> str:
    """What a call returned that says why a node is lost, or why the call failed."""
    try:
        return str(ray.get(reference, timeout=5))
    except Exception as error:
        return died(error)


def failure(ray: Any, reference: Any) -> str:
    """Why a call failed; '' where it did not."""
    try:
        ray.get(reference, timeout=5)
    except Exception as error:
        return died(error)
    return ""


def died(error: Exception) -> str:
    """Why a node that raised this counts as lost."""
    kind = type(error).__name__
    if "Actor" in kind or "Node" in kind or "Worker" in kind:
        return f"its actor or its raylet died ({kind})"
    return f"{kind}: {last_line(error)}"


def last_line(error: Exception) -> str:
    """The last line of an error, at most 300 characters of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
