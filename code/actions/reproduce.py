"""reproduce: from a published result to its config class, the command lines that repeat it, and what is different here."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.errors import HarnessError, UsageError
from code.machine.detect import DetectedSystem, detect
from code.plan.request import Request
from code.submission.reproduce import differences, published, recipe
from code.submission.reproduce.published import PublishedResult
from code.submission.reproduce.recipe import Recipe


def run(context: Context) -> int:
    """Print the recipe of each result below --from_tree.

    Raises:
        UsageError: no folder was named, or no result in it runs in this harness.
        MissingError: it is not part of a submission tree.
    """
    named = context.request["from_tree"]
    if not named:
        raise UsageError(
            "no result was named",
            "reproduce needs a folder of results in a submission tree",
            "make reproduce FROM=closed/<submitter>/results/<system>/<benchmark>/<scenario>",
        )
    found = [one for one in published.find(Path(named)) if _asked(context.request, one)]
    if not found:
        raise UsageError(f"{named} has no result of those benchmarks and scenarios", "", "leave --benchmarks and --scenarios out")
    recipes, failed = _recipes(found)
    if failed and not recipes:
        raise failed[0]
    detected = detect()
    for one in recipes:
        _print(one, detected)
    return 0


def _recipes(found: list[PublishedResult]) -> tuple[list[Recipe], list[HarnessError]]:
    """The recipes that there are, and an error for each result without one, of which a line is printed."""
    recipes, failed = [], []
    for result in found:
        try:
            recipes.append(recipe.recipe_of(result))
        except HarnessError as error:
            failed.append(error)
            console.say(f"left out: {error.what}")
    return recipes, failed


def _asked(request: Request, result: PublishedResult) -> bool:
    """Whether --benchmarks and --scenarios, where they are given, name a result."""
    if not request["benchmarks"]:
        return True
    short = {str(benchmark): [str(s) for s in request.scenarios(benchmark)] for benchmark in request.benchmarks()}
    return any(
        result.place.benchmark.startswith(name) and result.place.scenario in scenarios for name, scenarios in short.items()
    )


def _print(one: Recipe, detected: DetectedSystem) -> None:
    place, log = one.result.place, one.result.log
    value = log.value if log is not None and log.complete else None
    measured = f": {log.metric.shown(value)}, {'VALID' if log.is_valid else 'INVALID'}" if log and value is not None else ""
    round_ = f" ({one.result.round.name})" if one.result.round else ""
    console.say(f"\n{place.label}, {place.division}/{place.submitter}{round_}{measured}")
    console.say(f"\n{recipe.file_name(one)}:\n")
    console.say(recipe.class_text(one))
    console.say("Commands:")
    for line in recipe.commands(one):
        console.say(f"  {line}")
    console.say("or without the class, on the system that this machine is:")
    console.say(f"  {recipe.command_without_class(one)}")
    if one.notes:
        console.say("\nNot taken over:")
        for note in one.notes:
            console.say(f"  {note}")
    _differences(one, detected)


def _differences(one: Recipe, detected: DetectedSystem) -> None:
    rows = differences.compare(one.result, detected)
    apart = [row for row in rows if not row.same]
    console.table(
        f"Differences to this machine: {len(apart)} of {len(rows)} properties",
        ("Property", "There", "Here", ""),
        [(row.what, row.there, row.here, "decides the speed" if row.matters else "") for row in apart],
    )
    if not rows:
        console.say("its tree has no description of the system to compare with")


ACTION = OncePerRequest(run)
