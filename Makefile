# One word a habit. `make train` and `make test` need nothing but Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/demo

.PHONY: train test test-sb3 soak bench docs format lint type check build clean

# Learn to push on a slippery table, then show policy and controller on the same unseen episodes.
train: $(VENV)/.installed
	$(BIN)/rpl train slippery-push --steps 60000 --out $(RUN) $(if $(wildcard $(RUN)/config.json),--resume)
	$(BIN)/rpl eval $(RUN) --episodes 200
	$(BIN)/rpl plot $(RUN) --out $(RUN)/curve.png
	$(BIN)/rpl watch $(RUN) --video $(RUN)/film.mp4

test: $(VENV)/.installed-dev check docs
	nice $(BIN)/pytest -n 3 --dist worksteal --ignore tests/test_other_learners.py

# Other people's learners. PyTorch is large, so `make test` does without it; and it may crash when
# loaded into a process that other tests have filled.
test-sb3: $(VENV)/.installed-sb3
	nice $(BIN)/pytest tests/test_other_learners.py

# What `make test` tries a few times, tried often: 200 kills, 1,000 damages of each kind of file. Hours.
soak: $(VENV)/.installed-dev
	RPL_KILLS=200 RPL_SOAK=1000 nice $(BIN)/pytest tests/test_kills.py tests/test_damage.py tests/runs/test_memory.py

# Speeds as ratios within one run, beside the peers that are installed.
bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks.speed

# The site of docs/ into site/; a broken link or an undocumented name fails.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: lint type

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo --no-cache

type: $(VENV)/.installed-dev
	$(BIN)/pyright

# The wheel must install and run outside the checkout.
build: $(VENV)/.installed-dev
	rm -rf dist
	$(BIN)/python -m build --wheel
	$(PYTHON) -m venv --clear build/wheel-venv
	build/wheel-venv/bin/pip install --quiet --constraint constraints.txt dist/*.whl
	cd build && wheel-venv/bin/rpl check Pendulum-v1
	cd build && wheel-venv/bin/rpl tasks

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rpl needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[paper]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,docs,cluster]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-sb3: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,sb3,sbx]'
	touch $@

clean:
	rm -rf $(VENV) build dist runs *.egg-info src/*.egg-info
