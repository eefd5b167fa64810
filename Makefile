PYTHON ?= python3
BIN := .venv/bin
# what a wheel or its proof depends on
PACKAGED := $(shell find src tools -type f -not -name '*.pyc') README.md LICENSE NOTICE

.PHONY: demo test test-fast test-images package clean

demo: .venv/core.stamp  ## score the example photographs with the embedded model
	$(BIN)/fiqa demo --output out/demo

test: .venv/dev.stamp package  ## lint, types and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2 --max-skips 20

test-fast: .venv/dev.stamp  ## all tests but those of more than 5 s
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2 -m 'not slow'

package: .venv/package.stamp  ## wheel and sdist, the wheel tried in an environment of its own

.venv/package.stamp: .venv/dev.stamp $(PACKAGED)
	$(BIN)/python tools/check_package.py
	touch $@

test-images: .venv/dev.stamp  ## 2,000 mutated images in place of the 150 of an ordinary test run
	FIQA_TEST_IMAGES=2000 OMP_NUM_THREADS=1 $(BIN)/pytest tests/images/test_mutations.py

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/core.stamp: .venv/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[detect]'
	touch $@

.venv/dev.stamp: .venv/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv out build dist
