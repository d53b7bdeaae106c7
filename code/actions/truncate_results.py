"""truncate_results: truncate accuracy logs to the checker's limit; full logs are kept under build/full_results."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.actions.stage_results import tree
from code.common import console, paths
from code.submission.pack import truncation


def run(context: Context) -> int:
    """Truncate every accuracy log that is not truncated yet."""
    root = tree(context.request)
    done = truncation.truncate(root)
    for one in done:
        console.say(f"truncated {one.log.relative_to(root)}: SHA-256 {one.digest}, full log in {paths.shown(one.kept)}")
    if not done:
        console.say(f"nothing to truncate in {paths.shown(root)}")
    return 0


ACTION = OncePerRequest(run)
