# Each target sets up what it needs on a fresh machine with Python 3.11 or newer. On a machine with an NVIDIA GPU: make demo EXTRA=gpu
PYTHON ?= python3
VENV ?= .venv
EXTRA ?= cpu
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed

.PHONY: demo test format clean

demo: $(INSTALLED)
	$(BIN)/python scripts/run.py --flagfile=flags/digits.flags --run_dir=runs/digits

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist loadfile

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs build *.egg-info

# tensorflow-serving-api: TensorFlow Serving's messages, for tests. Its dependencies would bring a second TensorFlow.
$(INSTALLED): setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[$(EXTRA),oct,serving,archive,test]"
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps "tensorflow-serving-api>=2.21,<2.22"
	touch $@
