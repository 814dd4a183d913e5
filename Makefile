# The five things to do with a fresh checkout. Needed: make, and Python 3.11 or newer with its venv module.
#
#   make demo     install, then run two experiments against the reference system (RUNTIME=docker: in containers)
#   make test     everything that must hold before a change is accepted
#   make matrix   every planted defect, each shown to be found (more than an hour; RUNTIME=docker: in containers)
#   make setup    install only, without what tests need
#   make clean    remove what was installed and built here (runs stay)

RUNTIME := processes
VENV := .venv
BIN := $(VENV)/bin
RUNNABLE := $(VENV)/.runnable
TESTABLE := $(VENV)/.testable
# The first of these that is new enough; override with `make PYTHON=/path/to/python3.12`.
ifeq ($(origin PYTHON), undefined)
PYTHON := $(firstword $(foreach python,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(python))))
endif

# What is compiled is kept, whatever the surroundings say: a hundred short-lived processes would compile all of it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo setup test lint types imports unit e2e docker matrix clean
.NOTPARALLEL:

demo: setup
	$(if $(filter docker,$(RUNTIME)),image/base)
	$(BIN)/gameday run experiments/broken_redis.yaml --short --runtime $(RUNTIME)
	$(BIN)/gameday run experiments/losing_us_east.yaml --short --runtime $(RUNTIME)

setup: $(RUNNABLE)
	@$(BIN)/python -m harness.target.toxiproxy_binary

test: lint types imports unit e2e docker

lint: $(TESTABLE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TESTABLE)
	$(BIN)/mypy

imports: $(TESTABLE)
	$(BIN)/pytest -q tests/harness/test_imports.py

unit: $(TESTABLE)
	$(BIN)/pytest -q -n auto -m "not e2e"

# What measures has the machine for itself, and experiments share it by their own rule (tests/e2e/farm.py); the other files
# run five at a time, those first that take longest.
LONGEST := tests/e2e/test_dying_runs.py tests/e2e/test_load.py $(addprefix tests/reference_system/e2e/test_,mesh_links.py \
	two_regions.py)
E2E := $(LONGEST) tests/e2e tests/reference_system/e2e tests/reference_system/test_launchers.py
e2e: $(TESTABLE) setup
	$(BIN)/pytest -q -n 5 --dist loadfile --no-loadscope-reorder -m "e2e and not (docker or nightly or measured)" $(E2E)
	$(BIN)/pytest -q -m "measured and not nightly" tests/e2e tests/reference_system/e2e

# The same in containers, where an engine runs. Where there is none this says what it leaves out.
docker: $(TESTABLE) setup
	$(BIN)/pytest -q -m docker tests/e2e/docker

# Every planted defect, not only those that `test` has time for.
matrix: $(TESTABLE) setup
	GAMEDAY_RUNTIME=$(RUNTIME) $(BIN)/pytest -q tests/e2e/test_matrix.py tests/e2e/test_knee.py
	$(if $(filter processes,$(RUNTIME)),$(BIN)/pytest -q -m nightly tests/reference_system/e2e)

# Installed again whenever what goes into it has changed. An environment that exists keeps its interpreter, because one
# made over another of a different Python is neither: for a new PYTHON, `make clean` first. Compiled is what is used, when
# it is used: all of it would take longer than the rest of the installation.
INSTALL = $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable

$(RUNNABLE): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[reference]'
	@touch $@

$(TESTABLE): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[reference,dev]'
	@touch $(RUNNABLE) $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found. Install it, or say where it is:" \
		"make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks its venv module. On Debian and Ubuntu:" \
		"apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find harness reference_system tests -name __pycache__ -type d -prune -exec rm -rf {} +
