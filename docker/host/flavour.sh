#!/usr/bin/env bash
# flavour.sh: cuda where the daemon of $DOCKER has an NVIDIA runtime, else cpu.
{ "${DOCKER:-docker}" info --format '{{json .}}' 2>/dev/null | grep -Eq '"nvidia":|nvidia\.com/gpu'; } && echo cuda || echo cpu
