"""A checkpoint's chat template: the prompt of a conversation, as transformers' apply_chat_template writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from code.backends.base import missing_sdk
from code.common import jsonfile
from code.common.errors import UsageError, last_words

SETTINGS, TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")
LONGEST = 1 << 20
"""Most characters of a template."""


class ConversationError(Exception):
    """A conversation that a template refuses, with its reason."""


class ChatTemplate:
    """A template, compiled in Jinja's sandbox.

    Args:
        text: of the template.
        special: the texts of special tokens, which templates name.
        place: where it was found, for messages.

    MissingError where Jinja is not installed, UsageError for a template that is not valid.
    """

    def __init__(self, text: str, special: Mapping[str, str], place: Path) -> None:
        try:
            from jinja2.exceptions import TemplateError
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as error:
            raise missing_sdk("jinja2", "packages_chat", error) from error
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        environment.filters["tojson"] = _tojson
        environment.globals.update(raise_exception=_refuse, strftime_now=lambda how: datetime.now().strftime(how))
        self._special, self._errors = dict(special), TemplateError
        try:
            self._template = environment.from_string(text)
        except TemplateError as error:
            raise UsageError(
                f"{place} has no valid chat template", last_words(error), "repair it, or serve without it: rename the file"
            ) from error

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The text up to where the assistant answers, special tokens included. ConversationError where the template refuses it."""
        try:
            return str(self._template.render(messages=messages, add_generation_prompt=True, **self._special))
        except ConversationError:
            raise
        except (self._errors, TypeError, KeyError, ValueError) as error:
            raise ConversationError(last_words(error)) from error


def find(folder: Path) -> tuple[str, dict[str, str], Path] | None:
    """(template, special tokens, file) of a checkpoint's folder: chat_template.jinja, or of tokenizer_config.json; None for none."""
    settings = jsonfile.object_or_empty(folder / SETTINGS)
    special = {name: text for name in SPECIAL if (text := _token(settings.get(name)))}
    own = folder / TEMPLATE
    if own.is_file():
        return own.read_text(encoding="utf-8", errors="replace")[:LONGEST], special, own
    given = settings.get("chat_template")
    if isinstance(given, list):  # several, by name
        named = {one.get("name"): one.get("template") for one in given if isinstance(one, dict)}
        given = named.get("default")
    return (given[:LONGEST], special, folder / SETTINGS) if isinstance(given, str) else None


def _token(given: Any) -> str:
    text = given.get("content") if isinstance(given, dict) else given
    return text if isinstance(text, str) else ""


def _refuse(why: object) -> None:
    raise ConversationError(str(why)[:300])


def _tojson(value: Any, indent: int | None = None, **_: Any) -> str:
    """JSON as it is, without the escapes for HTML that Jinja's own filter adds."""
    return json.dumps(value, ensure_ascii=False, indent=indent)
