"""pack_submission: write the tarball, its manifest, and summaries with the official report's columns."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.actions.check_submission import subject
from code.actions.stage_results import print_findings, tree
from code.common import console, paths
from code.common.errors import UsageError
from code.common.paths import build_dir
from code.submission.check import report_columns, tree_checks
from code.submission.check.finding import errors
from code.submission.pack import packing


def run(context: Context) -> int:
    """Pack the tree; refuses one in which the preflight finds errors."""
    root = tree(context.request)
    round_, submitter = subject(context.request, root)
    wrong = errors(tree_checks.preflight(root, round_, submitter))
    if wrong:
        print_findings(wrong, root)
        raise UsageError(
            f"{paths.shown(root)} was not packed",
            f"the preflight found {len(wrong)} errors",
            "fix them, then run make pack_submission",
        )
    summaries = report_columns.write(build_dir(), report_columns.rows(root, round_))
    done = packing.pack(root, build_dir())
    console.say(f"{paths.shown(done.tarball)}: {done.files} files, {done.tarball.stat().st_size:,} bytes")
    console.say(f"SHA-256 {done.digest}")
    for path in (done.manifest, *summaries):
        console.say(f"wrote {paths.shown(path)}")
    return 0


ACTION = OncePerRequest(run)
