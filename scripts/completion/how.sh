#!/bin/bash
# `make completion`: print how to load completion.
folder=$(cd "$(dirname "$0")" && pwd)
printf 'Add one of these lines to the start-up file of your shell, or type it in this terminal:\n'
printf '  bash  ~/.bashrc:  source %q\n' "$folder/make.bash"
printf '  zsh   ~/.zshrc:   source %q      (after compinit)\n' "$folder/make.zsh"
printf 'Then the Tab key completes: make ru, make run RUN_ARGS="--ben, make run RUN_ARGS="--benchmarks=bert --scenarios=\n'
