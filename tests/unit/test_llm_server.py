"""Our LLM server: what it takes and refuses, in OpenAI's form, and conversations by the checkpoint's chat template."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Event, Generation, GeneratorSpec, texts
from code.backends.generators.completions import CHAT, COMPLETIONS
from code.backends.generators.openai import BACKEND
from code.backends.generators.openvino_genai import BACKEND as OPENVINO
from code.benchmarks.llama3_1_8b import tiny, tokenizer
from code.benchmarks.llama3_1_8b.prompt import prompt
from code.benchmarks.llama3_1_8b.tiny import record
from code.benchmarks.text.tiny.articles import article
from code.common.errors import MissingError, UsageError
from code.harness.python import llm_chat, llm_server, llm_service
from code.harness.python.llm_chat import ChatTemplate, ConversationError
from code.harness.python.llm_requests import Asked, BadRequestError, Limits, Reader
from code.harness.python.llm_service import Service, Texts
from code.harness.schema.datasets import GenerationSpec, PromptData
from code.harness.schema.options import OpenAiOptions
from tests.served import serving

HOW = GenerationSpec(1, 1, 32, False, 1023, (1022,))
DATA = PromptData("x", 1, "t", "o", "l", 4096, HOW)
PLAIN = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""A prompt as completions have it: the text after the begin of text."""


@pytest.fixture(scope="module")
def opened() -> Any:
    return tokenizer.read(tiny.MODEL).tokenizer


@pytest.fixture(scope="module")
def plain() -> ChatTemplate:
    pytest.importorskip("jinja2", reason="jinja2 is not installed: make packages_chat")
    return ChatTemplate(PLAIN, {"bos_token": "<|begin_of_text|>"}, Path("x"))


def read(content: Any, path: str = COMPLETIONS, opened: Any = None, template: ChatTemplate | None = None) -> Asked:
    return Reader("llama", Limits(1, 32, 64, (1023, 1022)), opened, template).read(path, content)


def test_a_request_is_read_with_what_changes_nothing_in_a_greedy_text() -> None:
    given = {"prompt": [5, 6], "top_p": 0.9, "top_k": 40, "seed": 7, "temperature": 0.0, "n": 1, "min_tokens": 1, "stop": None}
    more = {"stop_token_ids": [1022], "presence_penalty": 0.0, "repetition_penalty": 1.0, "skip_special_tokens": True}
    assert read({**given, **more}) == Asked((5, 6), 32, False, False, False, False)
    streamed = {"stream": True, "stream_options": {"include_usage": True}, "return_token_ids": True, "max_tokens": 3}
    assert read({"prompt": [5], "model": "llama", **streamed}) == Asked((5,), 3, True, True, True, False)


@pytest.mark.parametrize(
    ("content", "status", "words", "param", "code"),
    [
        ({"prompt": [1], "model": "x"}, 404, "there is no model 'x'; this server has 'llama'", "model", "model_not_found"),
        ({"prompt": [1], "temperature": 0.7}, 400, "temperature is '0.7'", "temperature", None),
        ({"prompt": [1], "n": True}, 400, "n is 'True'", "n", None),
        ({"prompt": [1], "stop": ["a"]}, 400, "stop is", "stop", None),
        ({"prompt": [1], "tools": [{"type": "function"}]}, 400, "tools is", "tools", None),
        ({"prompt": [1], "max_tokens": 33}, 400, "it is between 1 and 32", "max_tokens", None),
        ({"prompt": [1], "max_tokens": True}, 400, "max_tokens is True", "max_tokens", None),
        ({"prompt": [1], "min_tokens": 2}, 400, "texts have at least 1", "min_tokens", None),
        ({"prompt": [1], "stop_token_ids": [5]}, 400, "texts end at [1023, 1022]", "stop_token_ids", None),
        ({"prompt": [1], "stop_token_ids": 5}, 400, "stop_token_ids is 5", "stop_token_ids", None),
        ({"prompt": [1] * 40}, 400, "with 32 more the model takes 64", "prompt", "context_length_exceeded"),
        ({"prompt": []}, 400, "the prompt has 0 tokens", "prompt", None),
        ({"prompt": "text"}, 400, "prompt must be a list of token ids", "prompt", None),
        ({"prompt": [1, -1]}, 400, "prompt must be", "prompt", None),
        ({"prompt": [1], "stream": "yes"}, 400, "stream is 'yes'; it is true or false", "stream", None),
        (
            {"prompt": [1], "stream_options": {"include_usage": True}},
            400,
            "stream_options is for streams",
            "stream_options",
            None,
        ),
        ({"prompt": [1], "temprature": 0}, 400, "does not know 'temprature'; did you mean temperature?", "temprature", None),
        ({"prompt": [1], "messages": []}, 400, "does not know 'messages'", "messages", None),
        ([1], 400, "is not a JSON object", None, None),
    ],
)
def test_what_it_does_not_do_is_refused(content: Any, status: int, words: str, param: str | None, code: str | None) -> None:
    with pytest.raises(BadRequestError) as refused:
        read(content)
    assert refused.value.status == status and words in str(refused.value)
    error = refused.value.content()["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("hi", "messages must be a list"),
        ([], "messages must be a list"),
        ([{"role": "robot", "content": "a"}], "messages[0] needs a role"),
        (["hi"], "messages[0] needs a role"),
        ([{"role": "user"}], "the content of messages[0] must be a text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "parts of the type text"),
        ([{"role": "user", "content": "a " * 90}], "the model takes 64"),
    ],
)
def test_messages_that_are_none_are_refused(messages: Any, words: str, opened: Any, plain: ChatTemplate) -> None:
    with pytest.raises(BadRequestError) as refused:
        read({"messages": messages}, CHAT, opened, plain)
    assert words in str(refused.value) and refused.value.status == 400


def test_a_conversation_becomes_the_templates_prompt(opened: Any, plain: ChatTemplate) -> None:
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    found = read({"messages": [{"role": "user", "content": parts}], "max_completion_tokens": 4}, CHAT, opened, plain)
    assert list(found.prompt) == opened.encode("hello", add_special_tokens=True).ids and found.most == 4 and found.chat
    for missing in ({"opened": None, "template": plain}, {"opened": opened, "template": None}):
        with pytest.raises(
            BadRequestError, match=r"there are no conversations, for the checkpoint has no \S.*; use /v1/completions"
        ):
            read({"messages": [{"role": "user", "content": "a"}]}, CHAT, **missing)


def test_a_template_has_what_transformers_gives_it() -> None:
    pytest.importorskip("jinja2", reason="jinja2 is not installed: make packages_chat")
    text = """{%- set ns = namespace(n=0) -%}
    {%- for message in messages -%}
        {%- if message.role == 'tool' %}{{ raise_exception('no tools here') }}{% endif -%}
        {%- if loop.index > 2 %}{% break %}{% endif -%}
        {%- set ns.n = ns.n + 1 -%}
        {{ message.content | tojson }}
    {%- endfor -%}
    {{ ns.n }}{{ eos_token }}{{ strftime_now('%Y') | length }}{% if add_generation_prompt %}>{% endif %}"""
    made = ChatTemplate(text, {"eos_token": "<e>"}, Path("x"))
    assert made.prompt([{"role": "user", "content": "é<"}] * 3) == '"é<""é<"2<e>4>'
    with pytest.raises(ConversationError, match="no tools here"):
        made.prompt([{"role": "tool", "content": ""}])
    for unsafe in ("{{ messages.__class__.__mro__ }}", "{{ messages.append(1) }}", "{{ 1 / 'a' }}"):
        with pytest.raises(ConversationError):
            ChatTemplate(unsafe, {}, Path("x")).prompt([])
    with pytest.raises(UsageError, match="x has no valid chat template"):
        ChatTemplate("{% if %}", {}, Path("x"))


def test_where_a_checkpoint_has_its_template(tmp_path: Path) -> None:
    assert llm_chat.find(tmp_path) is None
    settings = {"bos_token": {"content": "<b>"}, "eos_token": "<e>", "chat_template": [{"name": "default", "template": "T"}]}
    (tmp_path / llm_chat.SETTINGS).write_text(json.dumps(settings))
    special = {"bos_token": "<b>", "eos_token": "<e>"}
    assert llm_chat.find(tmp_path) == ("T", special, tmp_path / llm_chat.SETTINGS)
    (tmp_path / llm_chat.TEMPLATE).write_text("own")
    assert llm_chat.find(tmp_path) == ("own", special, tmp_path / llm_chat.TEMPLATE)
    found = llm_chat.find(tiny.MODEL)
    assert found is not None and found[2].name == llm_chat.TEMPLATE and found[1]["bos_token"] == "<|begin_of_text|>"


def test_without_jinja_there_are_no_conversations_and_the_answer_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2.exceptions", None)
    with pytest.raises(MissingError, match="jinja2 cannot be imported"):
        ChatTemplate("T", {}, tmp_path)
    assert llm_server._template(tmp_path) == (None, "the checkpoint has no chat template")
    (tmp_path / llm_chat.TEMPLATE).write_text("T")
    assert llm_server._template(tmp_path) == (
        None,
        "the Python package jinja2 cannot be imported (install it with `make packages_chat`)",
    )


class Scripted:
    """A generator that answers each request with the same events, or fails."""

    capacity = 4

    def __init__(self, *events: tuple[list[int], bool], fails: bool = False) -> None:
        self._events, self._fails = events, fails
        self._asked: list[int] = []

    def submit(self, request: int, prompt: Any) -> None:
        self._asked.append(request)

    def advance(self, wait_s: float) -> list[Event]:
        if not self._asked:
            threading.Event().wait(0.01)
            return []
        number = self._asked.pop()
        if self._fails and not self._events:
            raise RuntimeError("out of memory")
        found = [Event(number, np.array(tokens, np.int32), done) for tokens, done in self._events]
        if self._fails:
            self._events = ()
            self._asked.append(number)
        return found

    def close(self) -> None:
        pass


def asked(service: Service, path: str, content: Any) -> tuple[int, str, str]:
    """(status, content type, body) of a request."""
    with serving(service) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("POST", path, json.dumps(content))
        response = connection.getresponse()
        try:
            body = response.read()
        except http.client.IncompleteRead as cut:
            body = cut.partial
        connection.close()
        return response.status, str(response.headers["Content-Type"]), body.decode()


def parts(body: str) -> list[Any]:
    lines = [line[6:] for line in body.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_answers_have_openais_form(opened: Any, plain: ChatTemplate) -> None:
    tokens = [*opened.encode("hello there", add_special_tokens=False).ids, 1023]
    service = Service(Texts(Scripted((tokens[:1], False), (tokens, True))), DATA, "llama", opened, "", plain)
    status, kind, body = asked(service, COMPLETIONS, {"prompt": [5, 6], "return_token_ids": True})
    found = json.loads(body)
    assert (status, kind, found["object"]) == (200, "application/json", "text_completion")
    assert found["choices"] == [
        {"index": 0, "text": "hello there", "logprobs": None, "finish_reason": "stop", "token_ids": tokens}
    ]
    assert found["usage"] == {"prompt_tokens": 2, "completion_tokens": len(tokens), "total_tokens": 2 + len(tokens)}
    message = [{"role": "user", "content": "hi"}]
    found = json.loads(asked(service, CHAT, {"messages": message, "max_tokens": 2})[2])
    assert found["object"] == "chat.completion" and found["id"].startswith("chatcmpl-")
    assert found["choices"][0]["message"]["role"] == "assistant" and found["choices"][0]["finish_reason"] == "length"
    assert found["choices"][0]["message"]["content"] == opened.decode(tokens[:2]) and "token_ids" not in found["choices"][0]
    more = {"stream": True, "stream_options": {"include_usage": True}}
    status, kind, body = asked(service, CHAT, {"messages": message, **more})
    *streamed, usage, done = parts(body)
    assert (status, kind, done) == (200, "text/event-stream", "[DONE]") and len({one["id"] for one in streamed}) == 1
    deltas = [one["choices"][0]["delta"] for one in streamed]
    assert deltas[0]["role"] == "assistant" and "".join(one["content"] for one in deltas) == "hello there"
    assert [one["choices"][0]["finish_reason"] for one in streamed] == [None, "stop"]
    assert usage["choices"] == [] and usage["usage"]["completion_tokens"] == len(tokens)


def test_a_character_of_several_tokens_is_streamed_whole(opened: Any) -> None:
    tokens = opened.encode("🎈", add_special_tokens=False).ids
    assert len(tokens) > 1
    service = Service(Texts(Scripted((tokens[:1], False), (tokens, True))), DATA, "llama", opened, "")
    found = parts(asked(service, COMPLETIONS, {"prompt": [5], "stream": True})[2])
    assert [one["choices"][0]["text"] for one in found[:-1]] == ["", "🎈"]


@pytest.mark.parametrize("path", [COMPLETIONS, "/v1/embeddings"])
def test_a_generator_that_fails_is_told_in_openais_form(path: str) -> None:
    service = Service(Texts(Scripted(fails=True)), DATA, "llama", None, "")
    status, _, body = asked(service, path, {"prompt": [5]})
    error = json.loads(body)["error"]
    if path == COMPLETIONS:
        assert (status, error["type"], error["message"]) == (500, "server_error", "the generator failed: out of memory")
    else:
        assert (status, error["message"]) == (404, "there is no /v1/embeddings")


def test_a_large_request_is_read_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(Texts(Scripted(([5, 1023], True))), DATA, "llama", None, "")
    monkeypatch.setattr(llm_service, "LARGE", 10)
    threads: list[str] = []
    read = service._reader.read
    monkeypatch.setattr(service._reader, "read", lambda *given: threads.append(threading.current_thread().name) or read(*given))
    status, _, body = asked(service, COMPLETIONS, {"prompt": [5], "return_token_ids": True})
    assert status == 200 and json.loads(body)["choices"][0]["token_ids"] == [5, 1023]
    monkeypatch.setattr(llm_service, "LARGE", 1000)
    asked(service, COMPLETIONS, {"prompt": [5]})
    assert threads[0].startswith("asyncio") and threads[1] != threads[0] and not threads[1].startswith("asyncio")
    monkeypatch.setattr(llm_service, "LARGE", 10)
    assert asked(service, COMPLETIONS, {"prompt": [5], "n": 2})[0] == 400


@pytest.mark.parametrize("large", [10, 1000])
def test_a_fault_of_the_server_is_answered_and_in_its_log(
    large: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    service = Service(Texts(Scripted(([5, 1023], True))), DATA, "llama", None, "")
    monkeypatch.setattr(llm_service, "LARGE", large)
    broken = {"text": (service, "text"), "read": (service._reader, "read")}
    for name, (owner, method) in broken.items():
        with monkeypatch.context() as patched:
            patched.setattr(owner, method, lambda *given: 1 / 0)
            status, _, body = asked(service, COMPLETIONS, {"prompt": [5]})
        assert status == 500 and "see its log" in json.loads(body)["error"]["message"], name
        assert "error: a request failed: ZeroDivisionError: division by zero" in capfd.readouterr().err
    assert asked(service, COMPLETIONS, {"prompt": [5]})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        (
            "GET",
            "/metrics",
            200,
            "llm_server_requests_running 0\nllm_server_requests_total 1\nllm_server_requests_cancelled_total 0\n"
            "llm_server_tokens_total 2\n",
        ),
        ("GET", "/v1/models", 200, '"max_model_len": 4096'),
        ("GET", "/health", 200, "{}"),
        ("GET", "/x", 404, "there is no /x"),
        ("PUT", COMPLETIONS, 405, "PUT is not answered here; use GET or POST"),
    ],
)
def test_what_else_a_server_shows(method: str, path: str, status: int, words: str) -> None:
    service = Service(Texts(Scripted(([5, 1023], True))), DATA, "llama", None, "")
    asked(service, COMPLETIONS, {"prompt": [5]})
    with serving(service) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request(method, path)
        response = connection.getresponse()
        assert response.status == status and words in response.read().decode()
        connection.close()


def test_a_server_that_ends_refuses_and_says_so() -> None:
    service = Service(Texts(Scripted(([5, 1023], True))), DATA, "llama", None, "")
    service.stopping.set()
    assert asked(service, COMPLETIONS, {"prompt": [5]})[0] == 503
    with serving(service) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", "/health")
        response = connection.getresponse()
        assert response.status == 503 and "the server is ending" in response.read().decode()
        connection.close()


def test_a_generator_that_fails_in_a_stream_ends_it_with_the_error() -> None:
    service = Service(Texts(Scripted(([5], False), fails=True)), DATA, "llama", None, "")
    found = parts(asked(service, COMPLETIONS, {"prompt": [5], "stream": True})[2])
    assert found[-1]["error"]["message"] == "the generator failed: out of memory" and "[DONE]" not in found


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    OPENVINO.build(tiny.MODEL, {"precision": "fp32", "benchmark": "llama3.1-8b"}, folder)
    return folder


@pytest.fixture(scope="module")
def url(engine: Path, opened: Any, plain: ChatTemplate) -> Iterator[str]:
    how = Generation.of(HOW, stream=True)
    generator = OPENVINO.load(engine, GeneratorSpec(1, 1, "fp32", generation=how, requests_in_flight=8, longest_prompt=900))
    with serving(Service(Texts(generator), DATA, "llama3.1-8b", opened, "", plain)) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("count", [48, pytest.param(256, marks=pytest.mark.full)])
def test_prompts_give_the_tokens_of_the_engine_in_process(count: int, engine: Path, tmp_path: Path) -> None:
    articles, _ = record.evaluation_set(tiny.MODEL, tmp_path, count)
    prompts = [np.array(articles.prompt(index), np.int32) for index in range(len(articles))]
    asking = Generation.of(HOW)
    inside = OPENVINO.load(engine, GeneratorSpec(1, 2, "fp32", generation=asking, requests_in_flight=32, longest_prompt=900))
    expected = [one.tolist() for one in texts(inside, prompts)]
    with serving(Service(Texts(inside), DATA, "llama3.1-8b", None, "")) as server:
        options = OpenAiOptions((f"127.0.0.1:{server.port}",), "", "ids", 60.0)
        one = GeneratorSpec(1, 1, "fp32", options, generation=asking, requests_in_flight=32, longest_prompt=900)
        client = BACKEND.load(tiny.MODEL, one)
        assert [one.tolist() for one in texts(client, prompts)] == expected and len(expected) == count
        client.close()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("how", ["ids", "text"])
def test_chat_gives_the_tokens_of_completions(how: Any, stream: bool, url: str, opened: Any) -> None:
    written = [prompt(article("served", index, 30).text) for index in range(6)]
    prompts = [np.array(opened.encode(one, add_special_tokens=True).ids, np.int32) for one in written]
    found = []
    for api in ("completions", "chat"):
        options = OpenAiOptions((url,), "", how, 30.0, api)  # type: ignore[arg-type]
        asking = Generation.of(HOW, stream)
        generator = BACKEND.load(
            tiny.MODEL, GeneratorSpec(1, 1, "fp32", options, generation=asking, requests_in_flight=4, longest_prompt=900)
        )
        found.append([one.tolist() for one in texts(generator, prompts)])
        generator.close()
    assert found[0] == found[1] and all(found[0])
