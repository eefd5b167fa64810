PYTHON ?= python3
BIN := .venv/bin
# what a wheel or its proof depends on
PACKAGED := $(shell find src tools -path src/fiqa/web/page -prune -o -type f -not -name '*.pyc' -print) README.md LICENSE NOTICE
# what the page is made of; without npm there is none, and everything else is as before
PAGE_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print) tools/make_page.py tools/page_models.py \
	$(shell find src/fiqa/models src/fiqa/reasons src/fiqa/faces/mtcnn src/fiqa/pages/style.css -type f -not -name '*.pyc')
PAGE := $(if $(shell command -v npm),.venv/page.stamp)

.PHONY: demo test test-fast test-images test-gpu package page clean

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

page: .venv/page.stamp  ## the page that scores photos in the browser; needs Node

.venv/page.stamp: .venv/dev.stamp web/node_modules/.package-lock.json $(PAGE_SOURCES)
	$(BIN)/python tools/make_page.py
	touch $@

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-fund --no-audit
	touch $@

package: .venv/package.stamp  ## wheel and sdist, the wheel tried in an environment of its own

.venv/package.stamp: .venv/dev.stamp $(PAGE) $(PACKAGED)
	$(BIN)/python tools/check_package.py
	touch $@

test-images: .venv/dev.stamp  ## 2,000 mutated images in place of the 150 of an ordinary test run
	FIQA_TEST_IMAGES=2000 OMP_NUM_THREADS=1 $(BIN)/pytest tests/images/test_mutations.py

test-gpu: .venv/dev.stamp $(PAGE)  ## the page on a graphics processor played in software: two minutes
	FIQA_TEST_GPU=1 $(BIN)/pytest tests/web/test_gpu.py

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/core.stamp: .venv/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[detect]'
	touch $@

.venv/dev.stamp: .venv/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv out build dist web/node_modules src/fiqa/web/page
