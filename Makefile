# Thin verbs over `python3 -m code.main`. Nothing is probed and nothing is downloaded when this file is read.
#
#   make run RUN_ARGS="--benchmarks=bert --scenarios=offline --fast"

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

include $(dir $(abspath $(lastword $(MAKEFILE_LIST))))Makefile.const

RUN_ARGS ?=
BENCHMARKS ?=

export BUILD_DIR MLPERF_SCRATCH_PATH
ifdef LOG_DIR
export LOG_DIR
endif

PY = $(VENV)/bin/python
RUNTIME_STAMP = $(VENV)/.runtime-installed
DEV_STAMP = $(VENV)/.dev-installed
empty :=
comma := ,
space := $(empty) $(empty)
NAMED_BENCHMARKS = $(if $(strip $(BENCHMARKS)),--benchmarks=$(subst $(space),$(comma),$(strip $(BENCHMARKS))))
HARNESS = cd $(PROJECT_ROOT) && exec $(PY) -m code.main
# Data and model targets work on every benchmark unless told otherwise; workload targets never do.
EVERY = $(if $(NAMED_BENCHMARKS)$(findstring --benchmarks,$(RUN_ARGS)),$(NAMED_BENCHMARKS),--benchmarks=all)

##@ Help

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z][a-z_0-9]*:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(PROJECT_ROOT)/Makefile
	@printf '\nVariables: RUN_ARGS="--benchmarks=… --scenarios=…", BENCHMARKS="bert …", MLPERF_SCRATCH_PATH, BUILD_DIR, LOG_DIR, VENV\n'
	@printf 'Options of RUN_ARGS: documentation/commands.md, or `make options`. First try:\n'
	@printf '  make run RUN_ARGS="--benchmarks=bert --scenarios=offline --fast"\n'

.PHONY: options
options: $(RUNTIME_STAMP) ## Show every option that RUN_ARGS takes
	@$(HARNESS) --help

##@ Set-up (every target below does what it needs of this by itself)

.PHONY: venv
venv: $(RUNTIME_STAMP) ## Create the Python environment from the lock file

$(VENV)/bin/python:
	@command -v $(PYTHON3) >/dev/null || { echo "error: no $(PYTHON3) on this machine" >&2; \
	  echo "  next: install Python 3.10 to 3.13, or name one with PYTHON3=/path/to/python3" >&2; exit 3; }
	@$(PYTHON3) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || { \
	  echo "error: $$($(PYTHON3) --version) cannot run this harness" >&2; \
	  echo "  why:  it needs Python 3.10 to 3.13" >&2; echo "  next: name one with PYTHON3=/path/to/python3" >&2; exit 3; }
	@$(PYTHON3) -m venv --clear $(VENV) || { echo "error: $(PYTHON3) cannot create $(VENV)" >&2; \
	  echo "  next: on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 3; }

$(RUNTIME_STAMP): $(PROJECT_ROOT)/requirements/runtime.lock | $(VENV)/bin/python
	@echo "Installing the Python packages of requirements/runtime.lock (once) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $< || { \
	  echo "error: the packages of requirements/runtime.lock could not be installed" >&2; \
	  echo "  next: check the network or pip's index settings, then run the same command again" >&2; exit 3; }
	@touch $@

$(DEV_STAMP): $(PROJECT_ROOT)/requirements/dev.lock $(RUNTIME_STAMP)
	@echo "Installing the development packages of requirements/dev.lock (once) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: link_dirs
link_dirs: ## Link build/{data,models,preprocessed_data} into the scratch path
	@$(PROJECT_ROOT)/scripts/link_dirs.sh "$(BUILD_DIR)" "$(MLPERF_SCRATCH_PATH)" \
	  "$(if $(filter command environment,$(firstword $(origin MLPERF_SCRATCH_PATH))),given,default)"

READY = $(RUNTIME_STAMP) link_dirs

.PHONY: download_data
download_data: $(READY) ## Fetch the data sets (tiny: generate them)
	@$(HARNESS) --action=download_data $(EVERY) $(RUN_ARGS)

.PHONY: download_model
download_model: $(READY) ## Fetch the models (tiny: they are in the repository)
	@$(HARNESS) --action=download_model $(EVERY) $(RUN_ARGS)

.PHONY: preprocess_data
preprocess_data: $(READY) ## Turn the data sets into arrays that a harness maps into memory
	@$(HARNESS) --action=preprocess_data $(EVERY) $(RUN_ARGS)

.PHONY: build
build: $(READY) ## Prepare everything that runs need besides data and models
	@echo "The Python harness and its packages are ready in $(VENV)"

##@ Benchmarks

.PHONY: run
run: $(READY) ## Generate the engines, then run the harness
	@$(HARNESS) --action=run $(NAMED_BENCHMARKS) $(RUN_ARGS)

.PHONY: generate_engines
generate_engines: $(READY) ## Build the engines that RUN_ARGS need
	@$(HARNESS) --action=generate_engines $(NAMED_BENCHMARKS) $(RUN_ARGS)

.PHONY: run_harness
run_harness: $(READY) ## Run LoadGen with the engines that are built
	@$(HARNESS) --action=run_harness $(NAMED_BENCHMARKS) $(RUN_ARGS)

.PHONY: calibrate
calibrate: $(READY) ## Calibrate for int8
	@$(HARNESS) --action=calibrate $(NAMED_BENCHMARKS) $(RUN_ARGS)

.PHONY: explain
explain: $(READY) ## Show every value of the plan and where it came from
	@$(HARNESS) --action=explain $(NAMED_BENCHMARKS) $(RUN_ARGS)

##@ Looking around

.PHONY: info
info: $(READY) ## Show versions, the detected system and the folders in use
	@$(HARNESS) --action=info $(RUN_ARGS)

.PHONY: shell
shell: $(READY) ## Open a shell in the Python environment
	@cd $(PROJECT_ROOT) && source $(VENV)/bin/activate && exec $${SHELL:-bash} -i

##@ Systems

SYSTEM_ARGS = $(if $(NAME),--name=$(NAME)) $(if $(CAPTURE),--capture=$(CAPTURE)) $(if $(YES),--yes=1) $(NAMED_BENCHMARKS) $(RUN_ARGS)

.PHONY: doctor
doctor: $(READY) ## Check this machine for what keeps runs from being good, with the command that mends it
	@$(HARNESS) --action=doctor $(SYSTEM_ARGS)

.PHONY: list_systems
list_systems: $(READY) ## List the known systems
	@$(HARNESS) --action=list_systems $(SYSTEM_ARGS)

.PHONY: add_system
add_system: $(READY) ## Add this machine (NAME=…, CAPTURE=file, YES=1) with configs of estimated values
	@$(HARNESS) --action=add_system $(SYSTEM_ARGS)

.PHONY: remove_system
remove_system: $(READY) ## Undo add_system (NAME=…)
	@$(HARNESS) --action=remove_system $(SYSTEM_ARGS)

.PHONY: capture_system
capture_system: $(READY) ## Write down what this machine is, to be replayed elsewhere (CAPTURE=file)
	@$(HARNESS) --action=capture_system $(SYSTEM_ARGS)

##@ Development

.PHONY: lint
lint: $(DEV_STAMP) ## Check style and types
	@cd $(PROJECT_ROOT) && $(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

.PHONY: test
test: $(DEV_STAMP) link_dirs ## Run the tests (TEST_ARGS="-k …" picks some)
	@cd $(PROJECT_ROOT) && exec $(PY) -m pytest $(TEST_ARGS)

.PHONY: docs
docs: $(READY) ## Write the generated parts of documentation/
	@cd $(PROJECT_ROOT) && $(PY) -m scripts.write_docs

.PHONY: lock
lock: $(DEV_STAMP) ## Renew the lock files from pyproject.toml
	@cd $(PROJECT_ROOT) && $(PY) -m pip install --quiet uv && scripts/lock.sh $(VENV)/bin/uv

.PHONY: train_tiny_bert
train_tiny_bert: $(DEV_STAMP) ## Train the tiny BERT again and export it (needs about 25 minutes)
	@cd $(PROJECT_ROOT) && $(PY) -m pip install --quiet -r requirements/train.txt && exec $(PY) -m code.bert.tiny.train

.PHONY: clean_shallow
clean_shallow: ## Remove engines, logs and binaries; keep data, models and the environment
	@rm -rf "$(BUILD_DIR)/engines" "$(BUILD_DIR)/logs" "$(BUILD_DIR)/bin" "$(BUILD_DIR)/cmake"

.PHONY: clean
clean: clean_shallow ## Remove the build folder and the environment; a scratch path outside it is kept
	@rm -rf "$(BUILD_DIR)" "$(VENV)"
