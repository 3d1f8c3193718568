# Needs Python 3.11 or later (with venv) and GNU make; everything else goes into .venv.
#   make demo    make test    make test-all    make fuzz    make bench    make bench only=d
#   make site    make playground    make clean

PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python

# Tools look for their caches under HOME; where there is none they get a folder of their own.
ifeq ($(strip $(HOME)),)
export HOME := $(CURDIR)/$(VENV)/home
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help vsix playground demo test test-all fuzz bench site clean

help:
	@echo 'make demo            compile the examples, train them, show what came out'
	@echo 'make test            ruff, mypy --strict and the tests'
	@echo 'make test-all        the long tests, too'
	@echo 'make fuzz            programs and texts by chance: programs=20000 texts=100000 seed=0 processes=2'
	@echo 'make bench           measure the generated modules against other libraries'
	@echo 'make bench only=NAME one workload of it'
	@echo 'make site            write the documents as a site, out/site/index.html'
	@echo 'make playground      write a page that compiles graphs in the browser, out/playground.html'
	@echo 'make vsix            build graphc.vsix, the extension for Visual Studio Code'
	@echo 'make clean           remove .venv, caches and builds'
	@echo
	@echo 'The first run installs into .venv. Another Python: make PYTHON=python3.12 test'

demo: $(VENV)/ready.examples
	@$(RUN) examples/demo.py

# What the tests start loads the package from bytecode, also where nobody else is to keep any.
test test-all: export PYTHONDONTWRITEBYTECODE :=
test: tests = not long
test-all: tests = long or not long
test test-all: $(VENV)/ready.test
	@echo '── ruff check'
	@$(RUN) -m ruff check
	@echo '── ruff format --check'
	@$(RUN) -m ruff format --check
	@echo '── pytest, and beside it mypy --strict graphc'
	@$(RUN) -m mypy --strict graphc > $(VENV)/mypy.log 2>&1 & types=$$!; \
	  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	  $(RUN) -m pytest --quiet --numprocesses=auto --maxprocesses=8 --dist=worksteal -m '$(tests)'; \
	  wrong=$$?; wait $$types || wrong=1; \
	  echo '── mypy --strict graphc'; cat $(VENV)/mypy.log; exit $$wrong

programs  ?= 20000
texts     ?= 100000
seed      ?= 0
processes ?= 2

fuzz: $(VENV)/ready.test
	@export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1; wrong=0; \
	  $(RUN) -m tests.fuzz \
	    --programs=$(programs) --seed=$(seed) --processes=$(processes) || wrong=1; \
	  $(RUN) -m tests.fuzz.texts \
	    --count=$(texts) --seed=$(seed) --processes=$(processes) || wrong=1; \
	  exit $$wrong

# The folder of Pyodide's files that the page loads Python from: as an address, or beside the page.
pyodide ?=

playground: $(VENV)/ready.docs
	@$(RUN) docs/playground/playground.py out/playground.html $(pyodide)

vsix:
	@$(PYTHON) docs/editors/vsix.py graphc.vsix

bench: $(VENV)/ready.bench
	@$(RUN) -m benchmarks $(only)

site: $(VENV)/ready.docs
	@$(VENV)/bin/mkdocs build --strict --quiet
	@echo 'out/site/index.html'

clean:
	@echo '── removing .venv, caches and builds'
	@rm -rf $(VENV) build dist out .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each extra: nothing is installed again until pyproject.toml changes.
$(VENV)/ready.examples: takes = under a minute
$(VENV)/ready.test:     takes = about a minute
$(VENV)/ready.docs:     takes = a few seconds
$(VENV)/ready.bench:    takes = a few minutes; PyTorch is large

$(VENV)/ready.%: pyproject.toml $(VENV)/ready
	@echo '── installing graphc and its "$*" packages into $(VENV) ($(takes))'
	@$(RUN) -m pip install --disable-pip-version-check --no-input --editable '.[$*]' \
	  > $(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@

$(VENV)/ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'graphc needs Python 3.11 or later; try: make PYTHON=python3.12'; exit 1; }
	@echo '── creating $(VENV)'
	@$(PYTHON) -m venv --clear $(VENV)
	@mkdir -p $(VENV)/home
	@touch $@
