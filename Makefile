# Thin targets over `python3 -m code.main`. Reading this file probes and downloads nothing.
#
#   make run RUN_ARGS="--benchmarks=bert --scenarios=offline --fast"
#
# What users write goes to programs through the environment, as it was written: neither make nor a shell interprets it.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

LISTED := $(lastword $(MAKEFILE_LIST))
HERE := $(filter-out ./,$(dir $(LISTED)))
ifeq ($(wildcard $(HERE)Makefile.const),)
$(error this Makefile was named by a path with a space: change into its folder and call make there, or use make -C)
endif
include $(HERE)Makefile.const

# Text of the user, passed on unexpanded.
USER_TEXT = RUN_ARGS BENCHMARKS SYSTEMS NAME CAPTURE DIR TO SUBMITTER DIVISION CATEGORY STATUS ROUND FROM PASSPHRASE_FILE A B \
  MIG SANITIZE TEST_ARGS LOG_DIR GPUCLK FILE NODE NODES RAY SLURM_ARGS CONTAINER IMAGE TARGET benchmark scenario config
SCRATCH_ORIGIN := $(if $(filter command% environment%,$(origin MLPERF_SCRATCH_PATH)),given,default)
$(call default,MLPERF_SCRATCH_PATH,$$(DEFAULT_SCRATCH))
$(foreach name,$(USER_TEXT) BUILD_DIR VENV PYTHON3 MLPERF_SCRATCH_PATH MLPERF_MIRROR WHEELHOUSE,$(call raw,$(name)))
$(foreach name,$(USER_TEXT) MLPERF_MIRROR WHEELHOUSE,$(if $(value $(name)),$(eval export $(name))))
$(foreach name,BUILD_DIR VENV MLPERF_SCRATCH_PATH $(if $(WHEELHOUSE),WHEELHOUSE),$(call absolute,$(name)))
export PROJECT_ROOT BUILD_DIR VENV PYTHON3 MLPERF_SCRATCH_PATH SCRATCH_ORIGIN

# Under sudo in one of the images every command runs as the account that called sudo, so that no file becomes root's.
ifneq ($(and $(SUDO_UID),$(wildcard $(IMAGE_VENV)/runtime.lock)),)
SHELL := $(PROJECT_ROOT)/scripts/as_caller.sh
endif

empty :=
space := $(empty) $(empty)
SCRIPT = "$$PROJECT_ROOT"/scripts
PYTHON = $(SCRIPT)/in_environment.sh
HARNESS = $(PYTHON) -m code.main
# For programs of the environment that are not called through PYTHON.
CLEAN = . $(SCRIPT)/python_variables.sh
NAMED_BENCHMARKS = --benchmarks=@BENCHMARKS
# Data and model targets default to all benchmarks; workload targets need a selection.
EVERY = $(if $(BENCHMARKS)$(findstring --benchmarks,$(RUN_ARGS)),$(NAMED_BENCHMARKS),--benchmarks=all)

##@ Help

.PHONY: help
help: ## List the targets; TARGET=run shows the options of one
	@$(SCRIPT)/help.sh "$${TARGET:-}"

# A target that does not exist: named with the nearest.
.DEFAULT:
	@$(SCRIPT)/help.sh '$(subst ','\'',$@)' >&2
# A file of this kind that is absent is no target.
$(HERE)Makefile.const $(HERE)Makefile.compat: ;

.PHONY: completion
completion: ## Print how to complete targets, options, systems … with the Tab key in bash or zsh
	@$(SCRIPT)/completion/how.sh

.PHONY: options
options: runtime ## Show every option that RUN_ARGS takes
	@$(HARNESS) --help

##@ Set-up (the targets below run these steps when needed)

.PHONY: venv runtime
venv: runtime ## Create the Python environment from the lock file
runtime:
	@$(SCRIPT)/environment.sh runtime

# Sets of packages, each from a lock file of its own.
PACKAGES = packages_audit packages_build packages_calibration packages_chat packages_coverage packages_debug packages_dev packages_exporter packages_pytorch packages_tensorrt packages_tensorrt_rtx packages_train packages_tune packages_uv
.PHONY: $(PACKAGES)
$(PACKAGES): packages_%: runtime
	@$(SCRIPT)/environment.sh $*

.PHONY: wheelhouse
wheelhouse: runtime ## Download the packages for machines without a network, which use WHEELHOUSE=… (TO=…, SETS="runtime dev")
	@$(SCRIPT)/wheelhouse.sh "$$VENV/bin/python" "$${TO:-}" $(SETS)

.PHONY: calibration
calibration: packages_calibration ## Install what int8 and fp8 need (NNCF)

.PHONY: tensorrt_rtx
tensorrt_rtx: packages_tensorrt_rtx ## Install TensorRT-RTX, which builds engines without a GPU

.PHONY: tensorrt
tensorrt: packages_tensorrt ## Install TensorRT on a machine with an NVIDIA GPU

.PHONY: pytorch
pytorch: packages_pytorch ## Install PyTorch and transformers, which run GPT-J and Llama on GPUs and processors

.PHONY: triton
triton: ## Install Triton Inference Server and its client, in an environment of their own
	@export VENV="$$VENV-triton" && $(SCRIPT)/environment.sh triton

.PHONY: cluster
cluster: ## Install Ray and ZeroMQ for runs over several machines, in an environment of their own
	@export VENV="$$VENV-cluster" && $(SCRIPT)/environment.sh cluster

.PHONY: link_dirs
link_dirs: ## Link build/{data,models,preprocessed_data} into the scratch path
	@$(SCRIPT)/link_dirs.sh "$$BUILD_DIR" "$$MLPERF_SCRATCH_PATH" "$$SCRATCH_ORIGIN"

READY = runtime link_dirs
# Optional packages for options given in RUN_ARGS.
NAMED_PACKAGES = $(if $(findstring tensorrt_rtx,$(RUN_ARGS)),packages_tensorrt_rtx packages_calibration) \
  $(if $(filter %=int8 %=fp8 %:int8 %:fp8,$(RUN_ARGS)),packages_calibration) \
  $(if $(findstring dry_run,$(RUN_ARGS)),,$(if $(findstring triton,$(RUN_ARGS)),triton))

.PHONY: download_data
download_data: $(READY) ## Download the data sets (tiny: generate them)
	@$(HARNESS) --action=download_data $(EVERY) @RUN_ARGS

.PHONY: download_model
download_model: $(READY) ## Download the models (tiny: part of the repository)
	@$(HARNESS) --action=download_model $(EVERY) @RUN_ARGS

.PHONY: preprocess_data
preprocess_data: $(READY) ## Preprocess the data sets into arrays that the harness memory-maps
	@$(HARNESS) --action=preprocess_data $(EVERY) @RUN_ARGS

.PHONY: verify_data
verify_data: $(READY) ## Check all reference data, models and arrays that are there; list what is missing
	@$(HARNESS) --action=verify_data $(EVERY) @RUN_ARGS

.PHONY: export_mirror
export_mirror: $(READY) ## Copy the reference files to a folder for MLPERF_MIRROR (TO=…)
	@$(HARNESS) --action=export_mirror $(EVERY) --to=@TO @RUN_ARGS

.PHONY: build
build: packages_build link_dirs ## Build the C++ harness; later runs use it (SANITIZE=thread|address)
	@$(SCRIPT)/build_harness.sh "$$VENV/bin/python" "$${SANITIZE:-}"

##@ Benchmarks

.PHONY: run
run: $(READY) $(NAMED_PACKAGES) ## Generate the engines, then run the harness
	@$(HARNESS) --action=run $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: generate_engines
generate_engines: $(READY) $(NAMED_PACKAGES) ## Build the engines that RUN_ARGS need
	@$(HARNESS) --action=generate_engines $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: generate_triton_config
generate_triton_config: $(READY) ## Write the model repository that Triton Inference Server serves, without starting it
	@$(HARNESS) --action=generate_triton_config $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: run_harness
run_harness: $(READY) $(if $(findstring triton,$(RUN_ARGS)),triton) ## Run LoadGen with the engines already built
	@$(HARNESS) --action=run_harness $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: run_harness_power
run_harness_power: $(READY) ## Run LoadGen while an analyser measures power (--power_server=HOST --ntp_server=HOST)
	@$(HARNESS) --action=run_harness --power $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: run_heterogeneous
run_heterogeneous: $(READY) $(NAMED_PACKAGES) ## Measure a workload while others load the other devices (--main=bert:Offline --background=3d-unet:Offline)
	@$(HARNESS) --action=run_heterogeneous @RUN_ARGS

# A short run of the tiny BERT unless another one is named.
DRY_RUN = $(if $(BENCHMARKS)$(findstring --benchmarks,$(RUN_ARGS)),$(NAMED_BENCHMARKS),--benchmarks=bert) \
  $(if $(findstring --scenarios,$(RUN_ARGS)),,--scenarios=singlestream) $(if $(findstring --min_duration,$(RUN_ARGS)),,--min_duration=10000)

.PHONY: power_dry_run
power_dry_run: $(READY) $(NAMED_PACKAGES) ## Try power-dev's whole protocol without an analyser (MLPERF_POWER_DIR names a checkout of it)
	@$(HARNESS) --action=power_dry_run $(DRY_RUN) @RUN_ARGS

# A campaign's runs are `make run` of their own: CAMPAIGN_ARGS are of the campaign alone.
CAMPAIGN_ARGS = --campaign_file=@FILE --systems=@SYSTEMS @RUN_ARGS

.PHONY: campaign
campaign: $(READY) ## Make the runs that a file asks for, and after a stop those that are missing (FILE=campaign.toml SYSTEMS= NODE= RAY=auto NODES=, --dry_run)
	@$(HARNESS) --action=campaign --node=@NODE --campaign_ray=@RAY --campaign_nodes=@NODES $(CAMPAIGN_ARGS)

.PHONY: campaign_status
campaign_status: $(READY) ## Show how far campaigns are: done, running, failed, time left (FILE=campaign.toml, --json)
	@$(HARNESS) --action=campaign_status $(CAMPAIGN_ARGS)

.PHONY: campaign_stop
campaign_stop: $(READY) ## Stop a campaign; `make campaign` goes on later (FILE=campaign.toml)
	@$(HARNESS) --action=campaign_stop $(CAMPAIGN_ARGS)

.PHONY: fleet
fleet: $(READY) ## Compare nodes that each ran the same: outliers, page, CSV, JSON; exits 5 unless all pass (FILE=campaign.toml or DIR=)
	@$(HARNESS) --action=fleet --fleet_dir=@DIR $(CAMPAIGN_ARGS)

.PHONY: calibrate
calibrate: $(READY) packages_calibration ## Calibrate for int8
	@$(HARNESS) --action=calibrate $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: tune
tune: $(READY) packages_tune ## Search streams, batch sizes and the Server rate on this machine (--trials=N, --write)
	@$(HARNESS) --action=tune $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: simulate
simulate: $(READY) ## Predict results on any known system in virtual time (--system=…, --sweep=…, --real_time)
	@$(HARNESS) --action=simulate $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: list_models
list_models: $(READY) ## List the service-time models of simulations and where each comes from
	@$(HARNESS) --action=list_models @RUN_ARGS

##@ Help

.PHONY: explain
explain: $(READY) ## Show every resolved value and its source
	@$(HARNESS) --action=explain $(NAMED_BENCHMARKS) --capture=@CAPTURE @RUN_ARGS

##@ Benchmarks

.PHONY: debug_accuracy
debug_accuracy: $(READY) $(NAMED_PACKAGES) packages_debug ## Compare an engine with another on the same samples (--against=…, --layers)
	@$(HARNESS) --action=debug_accuracy $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: inspect_engine
inspect_engine: $(READY) $(NAMED_PACKAGES) packages_debug ## Show the layers inside an engine (--layers lists each)
	@$(HARNESS) --action=inspect_engine $(NAMED_BENCHMARKS) @RUN_ARGS

##@ Help

.PHONY: info
info: $(READY) ## Show versions, the detected system and the directories in use
	@$(HARNESS) --action=info --capture=@CAPTURE @RUN_ARGS

.PHONY: shell
shell: $(READY) ## Open a shell in the Python environment
	@$(CLEAN) && cd "$$PROJECT_ROOT" && source "$$VENV/bin/activate" && exec $${SHELL:-bash} -i

##@ Systems

SYSTEM_ARGS = --name=@NAME --capture=@CAPTURE $(if $(YES),--yes=1) $(NAMED_BENCHMARKS) @RUN_ARGS

##@ Help

.PHONY: doctor
doctor: $(READY) ## Check this machine before a run and print the command that fixes each problem
	@$(HARNESS) --action=doctor $(SYSTEM_ARGS)

##@ Systems

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
check_configs: $(READY) ## Load config files of other harnesses (DIR=…); EXECUTES them, STATIC=1 only parses
	@$(PYTHON) -m scripts.check_configs "$${DIR:-}" $(if $(STATIC),--static)

.PHONY: convert_configs
convert_configs: $(READY) ## Convert class files to the newer layout, or back (DIR=… TO=…); EXECUTES them
	@$(PYTHON) -m scripts.convert_configs "$${DIR:-}" "$${TO:-}"

.PHONY: add_system
add_system: $(READY) ## Add this machine (NAME=…, CAPTURE=file, YES=1) with configs of estimated values
	@$(HARNESS) --action=add_system $(SYSTEM_ARGS)

.PHONY: remove_system
remove_system: $(READY) ## Undo add_system (NAME=…)
	@$(HARNESS) --action=remove_system $(SYSTEM_ARGS)

.PHONY: describe_systems
describe_systems: $(READY) ## Write systems/*.json of the known systems that have configs; what you filled in is kept
	@$(PYTHON) -m scripts.write_systems

.PHONY: capture_system
capture_system: $(READY) ## Record this machine's hardware for replay elsewhere (CAPTURE=file)
	@$(HARNESS) --action=capture_system $(SYSTEM_ARGS)

MIG_ARGS = --mig=@MIG --capture=@CAPTURE @RUN_ARGS

.PHONY: configure_mig
configure_mig: $(READY) ## Cut GPUs into slices (MIG="1g.10gb:7" or a MIG system's name, --devices=0, --dry_run); what they were is kept
	@$(HARNESS) --action=configure_mig $(MIG_ARGS)

.PHONY: teardown_mig
teardown_mig: $(READY) ## Put back what configure_mig changed (MIG=all: remove all slices of GPUs that are not in use)
	@$(HARNESS) --action=teardown_mig $(MIG_ARGS)

.PHONY: roofline
roofline: $(READY) $(NAMED_PACKAGES) ## Measure what limits a workload here: products by precision, memory, LoadGen; runs then tell their share (--json)
	@$(HARNESS) --action=roofline $(NAMED_BENCHMARKS) @RUN_ARGS

##@ Help

.PHONY: nodes
nodes: $(READY) ## Compare the nodes of a Ray cluster with this machine: commit, model, engines, data, devices, clock, network (--ray_address=…, --json)
	@$(HARNESS) --action=nodes $(NAMED_BENCHMARKS) @RUN_ARGS

.PHONY: mig_status
mig_status: $(READY) ## Show how the GPUs are cut, and what runs on them
	@$(HARNESS) --action=mig_status --capture=@CAPTURE @RUN_ARGS

##@ Submission (documentation/submission_guide.md)

WHO = --submitter=@SUBMITTER --division=@DIVISION --category=@CATEGORY --status=@STATUS --round=@ROUND \
  --from_tree=@FROM --passphrase_file=@PASSPHRASE_FILE

.PHONY: plan_submission
plan_submission: $(READY) ## What a round needs of systems, what is missing, and hours, as a campaign file (SYSTEMS=A,B CATEGORY= ROUND= TO=, --price_per_hour=)
	@$(HARNESS) --action=plan_submission $(NAMED_BENCHMARKS) --systems=@SYSTEMS --to=@TO $(WHO) @RUN_ARGS

.PHONY: run_audit_harness
run_audit_harness: $(READY) ## Run and verify the audit tests that the round requires (ROUND=…)
	@$(HARNESS) --action=run_audit_harness $(NAMED_BENCHMARKS) --round=@ROUND @RUN_ARGS

.PHONY: run_audit_test01 run_audit_test04 run_audit_test06
run_audit_test01: $(READY) ## Run and verify TEST01, accuracy in performance mode
	@$(HARNESS) --action=run_audit_harness --audit_test=TEST01 $(NAMED_BENCHMARKS) --round=@ROUND @RUN_ARGS
run_audit_test04: $(READY) ## Run and verify TEST04, detection of caching
	@$(HARNESS) --action=run_audit_harness --audit_test=TEST04 $(NAMED_BENCHMARKS) --round=@ROUND @RUN_ARGS
run_audit_test06: $(READY) ## Run and verify TEST06, consistency of an LLM's output
	@$(HARNESS) --action=run_audit_harness --audit_test=TEST06 $(NAMED_BENCHMARKS) --round=@ROUND @RUN_ARGS

.PHONY: run_audit_verification
run_audit_verification: $(READY) ## Verify the newest audit runs without running them again
	@$(HARNESS) --action=run_audit_verification $(NAMED_BENCHMARKS) --round=@ROUND @RUN_ARGS

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
	@$(HARNESS) --action=compare --a=@A --b=@B @RUN_ARGS

.PHONY: reproduce
reproduce: $(READY) ## Print how to repeat a published result: config class, commands, differences (FROM=<results folder>)
	@$(HARNESS) --action=reproduce $(NAMED_BENCHMARKS) --from_tree=@FROM @RUN_ARGS

.PHONY: report
report: $(READY) ## Write an HTML page per run and an index to build/report (--compare=DIR,DIR: a page of runs side by side)
	@$(HARNESS) --action=report @RUN_ARGS

.PHONY: dashboard
dashboard: $(READY) ## Serve the report on a port of loopback while runs go on (--port=N)
	@$(HARNESS) --action=dashboard @RUN_ARGS

.PHONY: telemetry_exporter
telemetry_exporter: $(READY) packages_exporter ## Serve this machine's telemetry and the state of runs to Prometheus on a port of loopback (--port=N)
	@$(HARNESS) --action=telemetry_exporter @RUN_ARGS

##@ Containers (documentation/containers.md)

# Makefile.docker is read only when one of these is asked for, so that another project's can replace it. It must not see the
# default scratch path, which may not exist yet.
CONTAINER_TARGETS = prebuild build_docker docker_add_user attach_docker launch_docker docker_run docker_sanity stop_docker docker_info

prebuild: ## Build the image, add you to it, start it and open a shell (DOCKER_DETACH=1: in the background)
build_docker: ## Build the image (FLAVOUR=cpu|cuda, BASE_IMAGE)
docker_add_user: ## Add your account to the image
attach_docker: ## Add you to the image, then start it
launch_docker: ## Start the container (DOCKER_ARGS, DOCKER_COMMAND, DOCKER_DETACH=1, DOCKER_SUDO=0|1, DOCKER_NAME)
docker_run: ## Run one command in a new container: CMD='make run RUN_ARGS="…"'
docker_sanity: ## Check that a container starts, sees the GPUs and writes as you
stop_docker: ## Stop the container
docker_info: ## Show the variables, images and containers in use

.PHONY: $(CONTAINER_TARGETS)
$(CONTAINER_TARGETS):
	@cd "$$PROJECT_ROOT" && $(if $(filter default,$(SCRATCH_ORIGIN)),env -u MLPERF_SCRATCH_PATH) \
	  $(MAKE) --no-print-directory -f Makefile.docker $@

.PHONY: slurm_submit
slurm_submit: $(READY) ## Write a Slurm job and submit it: a run on each node, a campaign or a fleet (NODES= FILE= SLURM_ARGS= CONTAINER= IMAGE=)
	@$(HARNESS) --action=slurm_submit --slurm_nodes=@NODES --slurm_args=@SLURM_ARGS --slurm_container=@CONTAINER --slurm_image=@IMAGE \
	  --campaign_file=@FILE --systems=@SYSTEMS $(NAMED_BENCHMARKS) @RUN_ARGS

# On a host with an NVIDIA GPU but without TensorRT, GPU workloads run in the container, which has TensorRT.
$(call default,GPU_DEVICE,/dev/nvidiactl)
$(call default,IN_CONTAINER,$$(wildcard /.dockerenv /run/.containerenv))
BELONGS_INSIDE = $(and $(wildcard $(GPU_DEVICE)),$(if $(filter-out no,$(IN_CONTAINER))$(wildcard $(subst $(space),\ ,$(VENV))/lib/python3*/site-packages/tensorrt*),,yes))
ASKED_GOALS = $(filter run generate_engines run_harness calibrate,$(MAKECMDGOALS))

run generate_engines run_harness calibrate: | tell_inside
.PHONY: tell_inside
tell_inside:
	@$(if $(BELONGS_INSIDE),printf "note: this host has a GPU but no TensorRT; \`make $(ASKED_GOALS)\` for the GPU belongs in the \
	container:\n  next: make docker_run CMD='make $(ASKED_GOALS) RUN_ARGS=\"%s\"'   (\`make prebuild\` once before)\n" "$$RUN_ARGS" >&2,:)

##@ Development

.PHONY: lint
lint: packages_dev ## Check style, types and layers
	@$(CLEAN) && cd "$$PROJECT_ROOT" && "$$VENV"/bin/ruff check . && "$$VENV"/bin/ruff format --check . && "$$VENV"/bin/mypy
	@$(CLEAN) && cd "$$PROJECT_ROOT" && "$$VENV"/bin/lint-imports --no-logo --no-cache
	@cd "$$PROJECT_ROOT" && find code/harness/cpp tests/benchmarks tests/cuda_stand_in tests/fuzz -name '*.cc' -o -name '*.cu' -o -name '*.h' | xargs "$$VENV"/bin/clang-format --dry-run -Werror

.PHONY: audit
audit: packages_audit ## Look for insecure patterns (bandit) and for locked packages with known vulnerabilities (pip-audit; OFFLINE=1: no advisories)
	@$(CLEAN) && $(SCRIPT)/audit.sh "$$VENV" $(if $(OFFLINE),offline)

# clang-tidy can check the TensorRT files only where TensorRT's headers are installed.
.PHONY: lint_cpp
lint_cpp: packages_dev build ## Check the C++ harness with clang-tidy (minutes)
	@cd "$$PROJECT_ROOT" && find code/harness/cpp -name '*.cc' -not -path '*/tests/*' -not -name 'tensorrt*' -not -name 'cuda*.cc' \
	  | xargs -n 1 -P "$$(nproc)" "$$VENV"/bin/clang-tidy -p "$$BUILD_DIR/cmake" --quiet

.PHONY: lint_tensorrt
lint_tensorrt: packages_dev ## Type-check the TensorRT path against TensorRT's own Python bindings (VERSIONS="10.16.1.11 11.4.0.106")
	@cd "$$PROJECT_ROOT" && $(PYTHON) -m scripts.check_tensorrt_types $${VERSIONS:-}

# All tests of tests/fuzz and of test_virtual_verdict are for `make test_full`; without them Hypothesis is not even imported.
BY_MAKE = --ignore=tests/e2e/test_virtual_verdict.py tests/e2e
ON_CORES = -n auto --maxprocesses=8 --dist
# Where Python may not write compiled modules beside their source, test runs share them (tests/compiled.py).
KEPT = HARNESS_BYTECODE_DIR="$${HARNESS_BYTECODE_DIR:-$$BUILD_DIR/bytecode}"
# More processes than cores: tests in process wait for a fifth of their time, those that run make for half of it.
MORE = PYTEST_XDIST_AUTO_NUM_WORKERS=$$(($$(getconf _NPROCESSORS_ONLN) + 2))
# Of those that run make, files with long ones go first, so that no core is idle at the end.
LONG_ONES = run_bert,cpp_harness,simulate,run_gptj,run_unet3d,run_llama,add_benchmark,simulated,cuda_stand_in,submission
.PHONY: test
test: packages_dev link_dirs ## Run the tests (select with TEST_ARGS="-k …")
ifneq ($(strip $(value TEST_ARGS)),)
	@PYTEST_ADDOPTS="$${PYTEST_ADDOPTS:-} $${TEST_ARGS:-}" $(PYTHON) -m pytest
else
	@status=0; export $(KEPT); \
	echo "Tests in process, on several cores …"; \
	( $(MORE) $(PYTHON) -m pytest $(ON_CORES) worksteal --ignore=tests/e2e --ignore=tests/fuzz -m "not container and not full" ) || status=$$?; \
	echo "Tests that run make, on several cores …"; \
	( $(MORE) $(PYTHON) -m pytest $(ON_CORES) loadfile --no-loadscope-reorder --first=$(LONG_ONES) \
	  -m "not alone and not container and not full" $(BY_MAKE) ) || status=$$?; \
	echo "Tests that measure speed, one at a time …"; \
	( $(PYTHON) -m pytest -m "alone and not container and not full" $(BY_MAKE) ) || status=$$?; \
	exit $$status
endif

.PHONY: test_full
test_full: packages_dev link_dirs ## Run the tests that `make test` skips, over whole data sets (LONG=0: a part)
	@PYTEST_ADDOPTS="$${PYTEST_ADDOPTS:-} $${TEST_ARGS:-}" $(PYTHON) -m pytest -m "full and not container$(if $(filter 0,$(LONG)), and not long)"

# Every optional package that a machine without a GPU can have, but for Triton, which needs an older NumPy. The C++ harness is built with them, in
# the usual build folder.
ALL_SETS = runtime dev build calibration chat tune debug exporter tensorrt_rtx datasets export pytorch stubs
.PHONY: test_all_extras
test_all_extras: link_dirs ## Run the tests in an environment of its own that has every optional package (several GB; TEST_ARGS=…)
	@export VENV="$$VENV-all"; \
	for set in $(ALL_SETS); do $(SCRIPT)/environment.sh "$$set" || exit; done; \
	VENV="$$VENV-cluster" $(SCRIPT)/environment.sh cluster || exit; \
	$(SCRIPT)/build_harness.sh "$$VENV/bin/python" || exit; \
	$(MAKE) --no-print-directory test VENV="$$VENV"

.PHONY: coverage_cpp
coverage_cpp: packages_dev packages_build packages_coverage link_dirs ## Report the lines of the C++ harness that its own tests execute (minutes)
	@$(SCRIPT)/coverage_cpp.sh "$$VENV/bin/python"

.PHONY: mutation
mutation: packages_dev link_dirs ## Change modules a little and list what no test notices (TEST_ARGS="results/verdict --sample=0")
	@$(PYTHON) -m tests.mutation

.PHONY: soak
soak: packages_dev link_dirs ## Kill commands at random moments and run them again, for an hour (TEST_ARGS="--minutes=20 --seed=7 --stress")
	@$(PYTHON) -m tests.soak

.PHONY: fuzz
fuzz: packages_dev link_dirs ## Read 10,000 damaged inputs of each kind (FUZZ_EXAMPLES=…, FUZZ_SEED=…)
	@FUZZ_EXAMPLES="$${FUZZ_EXAMPLES:-10000}" $(PYTHON) -m pytest -m full -o timeout=0 tests/fuzz

.PHONY: test_cpp
test_cpp: packages_dev build ## Build the C++ harness and run its tests; `make test` runs them too once it is built
	@PYTEST_ADDOPTS="$${PYTEST_ADDOPTS:-} $${TEST_ARGS:-}" $(PYTHON) -m pytest -m cpp

.PHONY: test_docker
test_docker: packages_dev link_dirs ## Run the container tests against a Docker daemon
	@PYTEST_ADDOPTS="$${PYTEST_ADDOPTS:-} $${TEST_ARGS:-}" $(PYTHON) -m pytest -m container

.PHONY: docs
docs: $(READY) ## Write the generated parts of documentation/
	@$(PYTHON) -m scripts.write_docs

.PHONY: site
site: ## Build the documentation as a site in build/site that works offline, and check its links
	@export VENV="$$VENV-site" && $(SCRIPT)/environment.sh site && "$$VENV"/bin/python $(SCRIPT)/site/build.py

.PHONY: pictures
pictures: $(READY) ## Record the pictures of the README from a run on this machine (Chromium draws the report)
	@$(PYTHON) -m scripts.pictures

.PHONY: lock
lock: packages_uv ## Update the lock files from pyproject.toml
	@$(CLEAN) && cd "$$PROJECT_ROOT" && scripts/lock.sh "$$VENV/bin/uv"

.PHONY: train_tiny_bert
train_tiny_bert: packages_dev packages_train ## Train the tiny BERT again and export it (needs about 25 minutes)
	@$(PYTHON) -m code.benchmarks.bert.tiny.train

.PHONY: train_tiny_gptj
train_tiny_gptj: packages_dev ## Train the tiny GPT-J again and export it, in a separate environment (needs about 45 minutes)
	@export VENV="$$VENV-export" && $(SCRIPT)/environment.sh runtime && $(SCRIPT)/environment.sh export && \
	  $(PYTHON) -m code.benchmarks.gptj.tiny.train

.PHONY: train_tiny_llama
train_tiny_llama: packages_dev ## Train the tiny Llama again and export it, in a separate environment (needs about 20 minutes)
	@export VENV="$$VENV-export" && $(SCRIPT)/environment.sh runtime && $(SCRIPT)/environment.sh export && \
	  $(PYTHON) -m code.benchmarks.llama3_1_8b.tiny.train

.PHONY: train_tiny_unet3d
train_tiny_unet3d: packages_dev packages_train ## Train the tiny 3D-UNet again and export it (needs about an hour)
	@$(PYTHON) -m code.benchmarks.unet3d.tiny.train

##@ Set-up

.PHONY: clean_shallow
clean_shallow: ## Remove engines, logs and binaries; keep data, models and the environment
	@$(SCRIPT)/clean.sh shallow

.PHONY: clean
clean: ## Remove the build folder and the environment inside the project; a scratch path and an environment elsewhere are kept
	@$(SCRIPT)/clean.sh all

# Targets of other harnesses.
-include $(HERE)Makefile.compat
