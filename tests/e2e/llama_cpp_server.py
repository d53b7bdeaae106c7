"""`python llama_cpp_server.py FILE PORT`: llama.cpp's own server over a GGUF file, with keys and values in fp32; needs xllamacpp."""

from __future__ import annotations

import sys
import threading

import xllamacpp


def main(file: str, port: int, slots: int = 8, positions: int = 4096) -> None:
    """Serve until the process is ended."""
    given = xllamacpp.CommonParams()
    given.model.path = file
    given.model_alias = {"llama3.1-8b"}
    given.hostnames, given.port = ["127.0.0.1"], port
    given.n_parallel, given.n_ctx = slots, slots * positions
    given.cache_type_k = given.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    given.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    given.cache_prompt = given.warmup = given.ui = given.use_jinja = False
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1  # more wait for each other on a busy machine
    server = xllamacpp.Server(given)
    print(f"serving at {server.listening_address}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
