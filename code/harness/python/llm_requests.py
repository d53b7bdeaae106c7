"""Requests to an LLM server: OpenAI's completions and chat completions, checked against what a greedy generator can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from code.backends.generators.completions import CHAT, COMPLETIONS
from code.common.errors import nearest
from code.harness.python.llm_chat import ChatTemplate, ConversationError

READ = ("model", "max_tokens", "min_tokens", "stop_token_ids", "stream", "stream_options", "return_token_ids")
OF_PATH = {COMPLETIONS: ("prompt",), CHAT: ("messages", "max_completion_tokens", "add_generation_prompt")}
"""Path → the names that only its requests have."""
FIXED: Mapping[str, tuple[Any, ...]] = {
    "temperature": (0,),
    "n": (1,),
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    "stop": ([], ""),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "prompt_logprobs": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "repetition_penalty": (1,),
    "logit_bias": ({},),
    "ignore_eos": (False,),
    "skip_special_tokens": (True,),
    "add_generation_prompt": (True,),
    "response_format": ({"type": "text"},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "chat_template_kwargs": ({},),
}
"""Name → the values that mean what this server does; any other is refused."""
NO_EFFECT = ("top_p", "top_k", "min_p", "seed", "user", "store", "metadata")
"""Names that change nothing in a greedy text."""
NO_TEMPLATE = "the checkpoint has no chat template"
ROLES = ("system", "developer", "user", "assistant", "tool")


class BadRequestError(Exception):
    """A request that cannot be answered.

    Args:
        status: of HTTP.
        why: the reason.
        param: the name in the request that it is about.
        code: OpenAI's short name of the error.
    """

    def __init__(self, status: int, why: str, param: str = "", code: str = "") -> None:
        super().__init__(why)
        self.status, self.param, self.code = status, param, code

    def content(self) -> dict[str, Any]:
        """The body of the answer, as OpenAI's interface has it."""
        kinds = {401: "authentication_error", 500: "server_error", 503: "server_error"}
        kind = kinds.get(self.status, "invalid_request_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param or None, "code": self.code or None}}


@dataclass(frozen=True)
class Asked:
    """A request that was checked.

    Args:
        prompt: token ids.
        most: tokens of the text.
        stream, usage: whether it is streamed, and whether a stream ends with its usage.
        ids: whether token ids are returned.
        chat: whether the answer is a message.
    """

    prompt: tuple[int, ...]
    most: int
    stream: bool
    usage: bool
    ids: bool
    chat: bool


@dataclass(frozen=True)
class Limits:
    """What a server's generator does.

    Args:
        least, most: tokens of a text.
        positions: tokens of a prompt and its text together.
        ends: the tokens that end a text.
    """

    least: int
    most: int
    positions: int
    ends: tuple[int, ...]


class Reader:
    """Checks requests.

    Args:
        model: the served name.
        tokenizer: of the checkpoint; None: prompts are token ids.
        template: of conversations; None: there is none.
        without: why there is none.
    """

    def __init__(
        self, model: str, limits: Limits, tokenizer: Any, template: ChatTemplate | None, without: str = NO_TEMPLATE
    ) -> None:
        self._model, self._limits, self._tokenizer, self._template = model, limits, tokenizer, template
        self._without = without

    def read(self, path: str, content: Any) -> Asked:
        """The request in `content`. BadRequestError for what this server does not do."""
        if not isinstance(content, dict):
            raise BadRequestError(400, "the request is not a JSON object")
        given = {name: value for name, value in content.items() if value is not None}
        _require_known(path, given)
        if given.get("model") not in (None, "", self._model):
            why = f"there is no model {given['model']!r}; this server has {self._model!r}"
            raise BadRequestError(404, why, "model", "model_not_found")
        chat = path == CHAT
        most = self._most(given, chat)
        prompt = self._conversation(given.get("messages")) if chat else self._prompt(given.get("prompt"))
        if not prompt or len(prompt) + most > self._limits.positions:
            why = f"the prompt has {len(prompt):,} tokens; with {most} more the model takes {self._limits.positions:,}"
            raise BadRequestError(400, why, "messages" if chat else "prompt", "context_length_exceeded" if prompt else "")
        stream, options = _flag(given, "stream"), given.get("stream_options", {})
        if options and not (stream and isinstance(options, dict) and set(options) <= {"include_usage"}):
            raise BadRequestError(400, "stream_options is for streams, and has include_usage only", "stream_options")
        return Asked(prompt, most, stream, bool(options.get("include_usage")), _flag(given, "return_token_ids"), chat)

    def _most(self, given: Mapping[str, Any], chat: bool) -> int:
        limits = self._limits
        name = "max_completion_tokens" if chat and "max_completion_tokens" in given else "max_tokens"
        most = given.get(name, limits.most)
        if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= limits.most:
            raise BadRequestError(400, f"{name} is {most!r}; it is between 1 and {limits.most}", name)
        least = given.get("min_tokens", 0)
        if not isinstance(least, int) or isinstance(least, bool) or not 0 <= least <= limits.least:
            raise BadRequestError(400, f"min_tokens is {least!r}; this server's texts have at least {limits.least}", "min_tokens")
        ends = given.get("stop_token_ids", [])
        if not isinstance(ends, list) or not set(map(str, ends)) <= set(map(str, limits.ends)):
            why = f"stop_token_ids is {ends!r}; texts end at {list(limits.ends)}"
            raise BadRequestError(400, why[:300], "stop_token_ids")
        return most

    def _prompt(self, given: Any) -> tuple[int, ...]:
        if isinstance(given, list) and all(isinstance(one, int) and 0 <= one < 1 << 31 for one in given):
            return tuple(given)
        if isinstance(given, str) and self._tokenizer is not None:
            return tuple(self._tokenizer.encode(given, add_special_tokens=True).ids)
        words = "a list of token ids" + (" or a text" if self._tokenizer is not None else "")
        raise BadRequestError(400, f"prompt must be {words}", "prompt")

    def _conversation(self, given: Any) -> tuple[int, ...]:
        if self._tokenizer is None or self._template is None:
            why = "the checkpoint has no tokenizer.json" if self._tokenizer is None else self._without
            raise BadRequestError(400, f"there are no conversations, for {why}; use {COMPLETIONS}")
        if not isinstance(given, list) or not given:
            raise BadRequestError(400, "messages must be a list of messages", "messages")
        messages = [_message(one, number) for number, one in enumerate(given)]
        try:
            text = self._template.prompt(messages)
        except ConversationError as error:
            raise BadRequestError(400, f"the chat template refuses the messages: {error}", "messages") from error
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)  # the template writes them


def _require_known(path: str, given: Mapping[str, Any]) -> None:
    known = (*READ, *OF_PATH[path], *FIXED, *NO_EFFECT)
    for name, value in given.items():
        if name not in known:
            near = nearest(name, known)
            hint = f"; did you mean {near}?" if near else ""
            raise BadRequestError(400, f"this server does not know {name[:80]!r}{hint}", name[:80])
        allowed = FIXED.get(name)
        if allowed is not None and not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed):
            why = f"{name} is {str(value)[:80]!r}; this server's search is greedy and gives one text, so it is {allowed[0]!r}"
            raise BadRequestError(400, why, name)


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise BadRequestError(400, f"{name} is {str(value)[:80]!r}; it is true or false", name)
    return value


def _message(given: Any, number: int) -> dict[str, Any]:
    """A message with its content as one text: parts are joined, and parts that are no text are refused."""
    where = f"messages[{number}]"
    if not isinstance(given, dict) or given.get("role") not in ROLES:
        raise BadRequestError(400, f"{where} needs a role: {', '.join(ROLES)}", "messages")
    return {"role": given["role"], "content": _content(given.get("content"), where)}


def _content(given: Any, where: str) -> str:
    if isinstance(given, str):
        return given
    parts: Sequence[Any] = given if isinstance(given, list) else [None]
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise BadRequestError(400, f"the content of {where} must be a text, or parts of the type text", "messages")
    return "".join(str(text) for text in texts)
