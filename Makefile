# Each target sets up what it needs on a fresh machine with Python 3.11 or newer. On a machine with an NVIDIA GPU: make demo EXTRA=gpu
# test-addons alone needs Python 3.11 itself: TensorFlow 2.15 has no later one.
PYTHON ?= python3
VENV ?= .venv
EXTRA ?= cpu
ADDONS_PYTHON ?= python3.11
ADDONS_VENV ?= .venv-addons
BIN = $(VENV)/bin
PIP = $(BIN)/pip install --quiet --disable-pip-version-check

# In the order of tests/conftest.py: left to itself, xdist begins with the files of most tests, which are not those that take long.
PYTEST = $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

.PHONY: demo reading-room docs check test test-addons style format clean

demo: $(VENV)/.installed
	$(BIN)/fanogan run --flagfile=digits --anomalous_class=8 --run_dir=runs/digits

# An archive, a node, the readers' page and OHIF on this machine alone; for films of your own: make reading-room ROOM="--films=DIR --model=DIR"
reading-room: $(VENV)/.installed_for_reading build/ohif/package/dist
	command -v Orthanc >/dev/null || (apt-get update && apt-get install -y --no-install-recommends orthanc orthanc-dicomweb)
	$(BIN)/python scripts/reading_room.py --ohif=build/ohif/package/dist $(ROOM)

# What can be known within minutes, before every commit.
check: style
	$(PYTEST) -n 2 -m "not slow"

test: style
	$(PYTEST) -n 3 --durations=20

# The core on the line with tensorflow-addons, see docs/guides/addons.md, and the two lines against each other where .venv is there too.
ADDONS_PYTEST = $(ADDONS_VENV)/bin/python -m pytest -n 2 --dist loadfile -W ignore::DeprecationWarning
test-addons: $(ADDONS_VENV)/.installed
	$(ADDONS_PYTEST) -m "not slow" tests/test_keras_line.py tests/networks tests/training tests/detection tests/methods \
		$(addprefix tests/serving/test_,export.py saved_model.py signatures.py verification.py inputs.py graph_decoding.py)
	$(ADDONS_PYTEST) -rs tests/addons tests/commands/test_export.py

# The site, in build/site; its notebooks are run. Strict: a link to nowhere is an error (but not with --quiet, which hides it from strict).
docs: $(VENV)/.installed_for_tests
	$(BIN)/python docs/make_flags.py
	$(BIN)/python docs/make_notebooks.py --run
	$(BIN)/mkdocs build --strict

style: $(VENV)/.installed_for_tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/codespell --builtin en-GB_to_en-US README.md CONTRIBUTING.md CHANGELOG.md docs
	$(BIN)/python docs/make_notebooks.py
	$(BIN)/mkdocs build --strict

format: $(VENV)/.installed_for_tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(ADDONS_VENV) runs build *.egg-info docs/notebooks/*.md docs/notebooks/*/

$(VENV)/.installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable ".[$(EXTRA)]"
	touch $@

$(ADDONS_VENV)/.installed: setup.py
	$(ADDONS_PYTHON) -m venv $(ADDONS_VENV)
	$(ADDONS_VENV)/bin/pip install --quiet --disable-pip-version-check --editable ".[addons]" "pytest>=8,<10" "pytest-xdist>=3.6,<4"
	touch $@

$(VENV)/.installed_for_reading: $(VENV)/.installed
	$(PIP) --editable ".[$(EXTRA),reading]"
	touch $@

# As npm has it, built already.
build/ohif/package/dist:
	command -v npm >/dev/null || (apt-get update && apt-get install -y --no-install-recommends npm)
	mkdir -p build/ohif && cd build/ohif && npm pack --silent @ohif/app@3.13.2 && tar -xzf ohif-app-3.13.2.tgz

# tensorflow-serving-api: TensorFlow Serving's messages. Its dependencies would bring a second TensorFlow.
$(VENV)/.installed_for_tests: $(VENV)/.installed
	$(PIP) --editable ".[$(EXTRA),dicom,oct,serving,archive,formats,reading,test]"
	$(PIP) --no-deps "tensorflow-serving-api>=2.21,<2.22"
	touch $@
