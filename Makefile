# Thin targets over `python3 -m code.main`. Reading this file probes and downloads nothing.
#
#   make run RUN_ARGS="--benchmarks=bert --scenarios=offline --fast"

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

include $(dir $(abspath $(lastword $(MAKEFILE_LIST))))Makefile.const

MLPERF_SCRATCH_PATH ?= $(DEFAULT_SCRATCH)
RUN_ARGS ?=
BENCHMARKS ?=
# Passed on verbatim: `@RUN_ARGS` makes the harness read them from the environment, so that neither make nor a shell interprets a `$`,
# `&` or `;` in them.
override RUN_ARGS := $(value RUN_ARGS)

export BUILD_DIR MLPERF_SCRATCH_PATH RUN_ARGS
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
# Data and model targets default to all benchmarks; workload targets need a selection.
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
options: $(RUNTIME_STAMP) ## Show every option that RUN_ARGS accepts
	@$(HARNESS) --help

##@ Set-up (the targets below run these steps when needed)

.PHONY: venv
venv: $(RUNTIME_STAMP) ## Create the Python environment from the lock file

$(VENV)/bin/python:
	@command -v $(PYTHON3) >/dev/null || { echo "error: $(PYTHON3) is not installed" >&2; \
	  echo "  next: install Python 3.10 to 3.13, or select one with PYTHON3=/path/to/python3" >&2; exit 3; }
	@$(PYTHON3) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || { \
	  echo "error: $$($(PYTHON3) --version) cannot run this harness" >&2; \
	  echo "  why:  it needs Python 3.10 to 3.13" >&2; echo "  next: select one with PYTHON3=/path/to/python3" >&2; exit 3; }
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

$(VENV)/.%-installed: $(PROJECT_ROOT)/requirements/%.lock $(RUNTIME_STAMP)
	@echo "Installing the Python packages of requirements/$*.lock (once) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $< || { \
	  echo "error: the packages of requirements/$*.lock could not be installed" >&2; \
	  echo "  next: check the network or pip's index settings, then run the same command again" >&2; exit 3; }
	@touch $@

.PHONY: calibration
calibration: $(VENV)/.calibration-installed ## Install what int8 and fp8 need (NNCF)

.PHONY: tensorrt_rtx
tensorrt_rtx: $(VENV)/.tensorrt_rtx-installed ## Install TensorRT-RTX, which builds engines without a GPU

.PHONY: tensorrt
tensorrt: $(RUNTIME_STAMP) ## Install TensorRT on a machine with an NVIDIA GPU
	@$(PY) -m pip install --quiet --disable-pip-version-check -r $(PROJECT_ROOT)/requirements/tensorrt.txt \
	  -c $(PROJECT_ROOT)/requirements/runtime.lock || { \
	  echo "error: TensorRT could not be installed" >&2; \
	  echo "  next: check that pip reaches NVIDIA's index; without a GPU, use make tensorrt_rtx" >&2; exit 3; }

.PHONY: link_dirs
link_dirs: ## Link build/{data,models,preprocessed_data} into the scratch path
	@$(PROJECT_ROOT)/scripts/link_dirs.sh "$(BUILD_DIR)" "$(MLPERF_SCRATCH_PATH)" \
	  "$(if $(filter command environment,$(firstword $(origin MLPERF_SCRATCH_PATH))),given,default)"

READY = $(RUNTIME_STAMP) link_dirs
# Optional packages for options given in RUN_ARGS.
NAMED_PACKAGES = $(if $(findstring tensorrt_rtx,$(RUN_ARGS)),$(VENV)/.tensorrt_rtx-installed $(VENV)/.calibration-installed) \
  $(if $(filter %=int8 %=fp8 %:int8 %:fp8,$(RUN_ARGS)),$(VENV)/.calibration-installed)

.PHONY: download_data
download_data: $(READY) ## Download the data sets (tiny: generate them)
	@$(HARNESS) --action=download_data $(EVERY) @RUN_ARGS

.PHONY: download_model
download_model: $(READY) ## Download the models (tiny: part of the repository)
	@$(HARNESS) --action=download_model $(EVERY) @RUN_ARGS

.PHONY: preprocess_data
preprocess_data: $(READY) ## Preprocess the data sets into arrays that the harness memory-maps
	@$(HARNESS) --action=preprocess_data $(EVERY) @RUN_ARGS

.PHONY: build
build: $(VENV)/.build-installed link_dirs ## Build the C++ harness; later runs use it (SANITIZE=thread|address)
	@$(PROJECT_ROOT)/scripts/build_harness.sh $(PY) "$(SANITIZE)"

##@ Benchmarks

.PHONY: run
run: $(READY) $(NAMED_PACKAGES) ## Generate the engines, then run the harness
	@$(HARNESS) --action=run $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: generate_engines
generate_engines: $(READY) $(NAMED_PACKAGES) ## Build the engines that RUN_ARGS need
	@$(HARNESS) --action=generate_engines $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: run_harness
run_harness: $(READY) ## Run LoadGen with the engines already built
	@$(HARNESS) --action=run_harness $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: calibrate
calibrate: $(READY) $(VENV)/.calibration-installed ## Calibrate for int8
	@$(HARNESS) --action=calibrate $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: tune
tune: $(READY) $(VENV)/.tune-installed ## Search streams, batch sizes and the Server rate on this machine (--trials=N, --write)
	@$(HARNESS) --action=tune $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: explain
explain: $(READY) ## Show every resolved value and its source
	@$(HARNESS) --action=explain $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: debug_accuracy
debug_accuracy: $(READY) $(NAMED_PACKAGES) $(VENV)/.debug-installed ## Compare an engine with another on the same samples (--against=…, --layers)
	@$(HARNESS) --action=debug_accuracy $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: inspect_engine
inspect_engine: $(READY) $(NAMED_PACKAGES) $(VENV)/.debug-installed ## Show the layers inside an engine (--layers lists each)
	@$(HARNESS) --action=inspect_engine $(NAMED_BENCHMARKS) @RUN_ARGS

##@ Information

.PHONY: info
info: $(READY) ## Show versions, the detected system and the directories in use
	@$(HARNESS) --action=info @RUN_ARGS

.PHONY: shell
shell: $(READY) ## Open a shell in the Python environment
	@cd $(PROJECT_ROOT) && source $(VENV)/bin/activate && exec $${SHELL:-bash} -i

##@ Systems

SYSTEM_ARGS = $(if $(NAME),--name=$(NAME)) $(if $(CAPTURE),--capture=$(CAPTURE)) $(if $(YES),--yes=1) $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: doctor
doctor: $(READY) ## Check this machine before a run and print the command that fixes each problem
	@$(HARNESS) --action=doctor $(SYSTEM_ARGS)

.PHONY: list_engines
list_engines: $(READY) ## List the engines that are built
	@$(HARNESS) --action=list_engines @RUN_ARGS

.PHONY: clean_engines
clean_engines: $(READY) ## Remove engines (select with RUN_ARGS=--backend=… and BENCHMARKS=…)
	@$(HARNESS) --action=clean_engines $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: check_engines
check_engines: $(READY) $(NAMED_PACKAGES) ## Check graphs, profiles and memory for a GPU system without its GPU
	@$(HARNESS) --action=check_engines $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: list_systems
list_systems: $(READY) ## List the known systems
	@$(HARNESS) --action=list_systems $(SYSTEM_ARGS)

.PHONY: list_configs
list_configs: $(READY) ## List every config (RUN_ARGS="--system=NAME --verbose")
	@$(HARNESS) --action=list_configs $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: check_configs
check_configs: $(READY) ## Check a directory of config files written for other harnesses (DIR=…)
	@cd $(PROJECT_ROOT) && exec $(PY) -m scripts.check_configs "$(DIR)"

.PHONY: add_system
add_system: $(READY) ## Add this machine (NAME=…, CAPTURE=file, YES=1) with configs of estimated values
	@$(HARNESS) --action=add_system $(SYSTEM_ARGS)

.PHONY: remove_system
remove_system: $(READY) ## Undo add_system (NAME=…)
	@$(HARNESS) --action=remove_system $(SYSTEM_ARGS)

.PHONY: capture_system
capture_system: $(READY) ## Record this machine's hardware for replay elsewhere (CAPTURE=file)
	@$(HARNESS) --action=capture_system $(SYSTEM_ARGS)

##@ Audits and submission (documentation/submission_guide.md)

WHO = $(if $(SUBMITTER),--submitter="$(SUBMITTER)") $(if $(DIVISION),--division=$(DIVISION)) \
  $(if $(CATEGORY),--category=$(CATEGORY)) $(if $(STATUS),--status=$(STATUS)) $(if $(ROUND),--round=$(ROUND)) \
  $(if $(FROM),--from_tree="$(FROM)") $(if $(PASSPHRASE_FILE),--passphrase_file="$(PASSPHRASE_FILE)")

.PHONY: run_audit_harness
run_audit_harness: $(READY) ## Run and verify the audit tests that the round requires (ROUND=…)
	@$(HARNESS) --action=run_audit_harness $(NAMED_BENCHMARKS) $(if $(ROUND),--round=$(ROUND)) @RUN_ARGS

.PHONY: run_audit_test01 run_audit_test04 run_audit_test06
run_audit_test01: $(READY) ## Run and verify TEST01, accuracy in performance mode
	@$(HARNESS) --action=run_audit_harness --audit_test=TEST01 $(NAMED_BENCHMARKS) $(if $(ROUND),--round=$(ROUND)) @RUN_ARGS
run_audit_test04: $(READY) ## Run and verify TEST04, detection of caching
	@$(HARNESS) --action=run_audit_harness --audit_test=TEST04 $(NAMED_BENCHMARKS) $(if $(ROUND),--round=$(ROUND)) @RUN_ARGS
run_audit_test06: $(READY) ## Run and verify TEST06, consistency of an LLM's output
	@$(HARNESS) --action=run_audit_harness --audit_test=TEST06 $(NAMED_BENCHMARKS) $(if $(ROUND),--round=$(ROUND)) @RUN_ARGS

.PHONY: run_audit_verification
run_audit_verification: $(READY) ## Verify the newest audit runs without running them again
	@$(HARNESS) --action=run_audit_verification $(NAMED_BENCHMARKS) $(if $(ROUND),--round=$(ROUND)) @RUN_ARGS

.PHONY: stage_results
stage_results: $(READY) ## Stage the newest complete runs for a round (SUBMITTER= DIVISION= CATEGORY= STATUS= ROUND=)
	@$(HARNESS) --action=stage_results $(NAMED_BENCHMARKS) $(WHO) @RUN_ARGS

.PHONY: populate_readme
populate_readme: $(READY) ## Rewrite the READMEs of the staged results
	@$(HARNESS) --action=populate_readme $(WHO) @RUN_ARGS

.PHONY: truncate_results
truncate_results: $(READY) ## Truncate accuracy logs to the checker's limit; full logs are kept in build/full_results
	@$(HARNESS) --action=truncate_results @RUN_ARGS

.PHONY: check_submission
check_submission: $(READY) ## Check a tree: own preflight, then the official checker (MLPERF_INFERENCE_DIR=…, --preflight=only|off)
	@$(HARNESS) --action=check_submission $(WHO) @RUN_ARGS

.PHONY: pack_submission
pack_submission: $(READY) ## Write mlperf_submission.tar.gz, its manifest, summary.csv and summary.json
	@$(HARNESS) --action=pack_submission $(WHO) @RUN_ARGS

.PHONY: encrypt_submission
encrypt_submission: $(READY) ## Encrypt the tarball with a passphrase (PASSPHRASE_FILE=…)
	@$(HARNESS) --action=encrypt_submission $(WHO) @RUN_ARGS

.PHONY: submission
submission: $(READY) ## Do everything: run, audits, stage, truncate, check, pack
	@$(HARNESS) --action=submission $(NAMED_BENCHMARKS) $(WHO) @RUN_ARGS

##@ Results

.PHONY: list_results
list_results: $(READY) ## List all runs, complete or not
	@$(HARNESS) --action=list_results @RUN_ARGS

.PHONY: compare
compare: $(READY) ## Compare two runs, or a run with a public result (A=… B=…)
	@$(HARNESS) --action=compare $(if $(A),--a="$(A)") $(if $(B),--b="$(B)") @RUN_ARGS

.PHONY: reproduce
reproduce: $(READY) ## Print how to repeat a published result: config class, commands, differences (FROM=<results folder>)
	@$(HARNESS) --action=reproduce $(NAMED_BENCHMARKS) $(if $(FROM),--from_tree="$(FROM)") @RUN_ARGS

.PHONY: report
report: $(READY) ## Write an HTML page per run and an index to build/report
	@$(HARNESS) --action=report @RUN_ARGS

##@ Containers (documentation/containers.md)

# Makefile.docker is read only when one of these is asked for, so that another project's can replace it. It must not see the
# default scratch path, which may not exist yet.
CONTAINER_TARGETS = prebuild build_docker docker_add_user attach_docker launch_docker docker_run docker_sanity stop_docker docker_info

prebuild: ## Build the image, add you to it, start it and open a shell (DOCKER_DETACH=1: in the background)
build_docker: ## Build the image (FLAVOUR=cpu|cuda, BASE_IMAGE)
docker_add_user: ## Add your account to the image
attach_docker: ## Add you to the image, then start it
launch_docker: ## Start the container (DOCKER_ARGS, DOCKER_COMMAND, DOCKER_DETACH=1, DOCKER_NAME)
docker_run: ## Run one command in a new container: CMD='make run RUN_ARGS="…"'
docker_sanity: ## Check that a container starts, sees the GPUs and writes as you
stop_docker: ## Stop the container
docker_info: ## Show the variables, images and containers in use

.PHONY: $(CONTAINER_TARGETS)
$(CONTAINER_TARGETS):
	@cd $(PROJECT_ROOT) && $(if $(filter file,$(origin MLPERF_SCRATCH_PATH)),env -u MLPERF_SCRATCH_PATH) \
	  $(MAKE) --no-print-directory -f Makefile.docker $@

# On a host with an NVIDIA GPU but without TensorRT, GPU workloads run in the container, which has TensorRT.
GPU_DEVICE ?= /dev/nvidiactl
IN_CONTAINER ?= $(wildcard /.dockerenv /run/.containerenv)
BELONGS_INSIDE = $(and $(wildcard $(GPU_DEVICE)),$(if $(IN_CONTAINER)$(wildcard $(VENV)/lib/python3*/site-packages/tensorrt*),,yes))

run generate_engines run_harness calibrate: | tell_inside
.PHONY: tell_inside
tell_inside:
	@$(if $(BELONGS_INSIDE),printf "note: this host has a GPU but no TensorRT; \`make $(MAKECMDGOALS)\` for the GPU belongs in the \
	container:\n  next: make docker_run CMD='make $(MAKECMDGOALS) RUN_ARGS=\"%s\"'   (\`make prebuild\` once before)\n" "$$RUN_ARGS" >&2,:)

##@ Development

.PHONY: lint
lint: $(DEV_STAMP) ## Check style, types and layers
	@cd $(PROJECT_ROOT) && $(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy
	@cd $(PROJECT_ROOT) && $(VENV)/bin/lint-imports --no-logo --no-cache
	@cd $(PROJECT_ROOT) && find code/harness/cpp tests/benchmarks -name '*.cc' -o -name '*.cu' -o -name '*.h' | xargs $(VENV)/bin/clang-format --dry-run -Werror

# clang-tidy can check the TensorRT files only where TensorRT's headers are installed.
.PHONY: lint_cpp
lint_cpp: $(DEV_STAMP) build ## Check the C++ harness with clang-tidy (minutes)
	@cd $(PROJECT_ROOT) && find code/harness/cpp -name '*.cc' -not -path '*/tests/*' -not -name 'tensorrt*' -not -name 'cuda*.cc' \
	  | xargs -n 1 -P "$$(nproc)" $(VENV)/bin/clang-tidy -p "$(BUILD_DIR)/cmake" --quiet

.PHONY: test
test: $(DEV_STAMP) link_dirs ## Run the tests (select with TEST_ARGS="-k …")
ifneq ($(strip $(TEST_ARGS)),)
	@cd $(PROJECT_ROOT) && exec $(PY) -m pytest $(TEST_ARGS)
else
	@cd $(PROJECT_ROOT) && status=0; \
	echo "Tests in process, on several cores …"; \
	$(PY) -m pytest -n auto --maxprocesses=8 --dist loadfile -m "not e2e and not container and not full" || status=$$?; \
	echo "Tests that run make, one at a time, since they measure speed …"; \
	$(PY) -m pytest -m "e2e and not container and not full" || status=$$?; \
	exit $$status
endif

.PHONY: test_full
test_full: $(DEV_STAMP) link_dirs ## Run the tests over complete data sets, which `make test` skips
	@cd $(PROJECT_ROOT) && exec $(PY) -m pytest -m "full and not container" $(TEST_ARGS)

.PHONY: test_cpp
test_cpp: $(DEV_STAMP) build ## Build the C++ harness and run its tests; `make test` runs them too once it is built
	@cd $(PROJECT_ROOT) && exec $(PY) -m pytest -m cpp $(TEST_ARGS)

.PHONY: test_docker
test_docker: $(DEV_STAMP) link_dirs ## Run the container tests against a Docker daemon
	@cd $(PROJECT_ROOT) && exec $(PY) -m pytest -m container $(TEST_ARGS)

.PHONY: docs
docs: $(READY) ## Write the generated parts of documentation/
	@cd $(PROJECT_ROOT) && $(PY) -m scripts.write_docs

.PHONY: lock
lock: $(DEV_STAMP) ## Update the lock files from pyproject.toml
	@cd $(PROJECT_ROOT) && $(PY) -m pip install --quiet uv && scripts/lock.sh $(VENV)/bin/uv

.PHONY: train_tiny_bert
train_tiny_bert: $(DEV_STAMP) ## Retrain the tiny BERT and export it (needs about 25 minutes)
	@cd $(PROJECT_ROOT) && $(PY) -m pip install --quiet -r requirements/train.txt && exec $(PY) -m code.benchmarks.bert.tiny.train

.PHONY: train_tiny_gptj
train_tiny_gptj: $(DEV_STAMP) ## Retrain the tiny GPT-J and export it, in a separate environment (needs about 45 minutes)
	@cd $(PROJECT_ROOT) && $(PYTHON3) -m venv $(VENV)-export && \
	  $(VENV)-export/bin/python -m pip install --quiet -r requirements/runtime.lock && \
	  $(VENV)-export/bin/python -m pip install --quiet -c requirements/runtime.lock '.[train,export]' && \
	  exec $(VENV)-export/bin/python -m code.benchmarks.gptj.tiny.train

.PHONY: train_tiny_unet3d
train_tiny_unet3d: $(DEV_STAMP) ## Retrain the tiny 3D-UNet and export it (needs about an hour)
	@cd $(PROJECT_ROOT) && $(PY) -m pip install --quiet -r requirements/train.txt && exec $(PY) -m code.benchmarks.unet3d.tiny.train

.PHONY: clean_shallow
clean_shallow: ## Remove engines, logs and binaries; keep data, models and the environment
	@rm -rf "$(BUILD_DIR)/engines" "$(BUILD_DIR)/logs" "$(BUILD_DIR)/bin" "$(BUILD_DIR)/cmake"

.PHONY: clean
clean: clean_shallow ## Remove the build folder and the environment; a scratch path outside it is kept
	@rm -rf "$(BUILD_DIR)" "$(VENV)"
