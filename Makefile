# make book: the book, built from nothing into _build/html.   make test: the tests.
# CPU=1 takes PyTorch's CPU wheels (a machine without an NVIDIA GPU; 200 MB instead of several GB).
# PYTHON=python3.12 chooses the interpreter; TESTS="tests/losses -k golden" chooses the tests.

PYTHON ?= python3
CPU ?=
TESTS ?= tests
VENV := .venv
INSTALLED := $(VENV)/.installed
CPU_WHEELS := $(if $(CPU),--extra-index-url https://download.pytorch.org/whl/cpu)

.PHONY: book test check links clean

book: $(INSTALLED)
	@$(VENV)/bin/jal book

# Two processes of one thread each: threads that wait for one another would take several times as long.
test: $(INSTALLED)
	@OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist loadfile $(TESTS)

check: $(INSTALLED)
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

# Whether the addresses outside the book answer; nightly, as it needs the network.
links: book
	@$(VENV)/bin/jupyter-book build _build/book --path-output _build/links --builder linkcheck --all -q

# The stamp is newer than what it was made from, or pip runs again; with it there, nothing needs the network.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (once; some minutes, most of them PyTorch's download) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jal needs Python 3.11 or later: name one with PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt $(CPU_WHEELS) --editable '.[dev]'
# For the tests: the package carries axe-core, one script; what it would install beside it is a second browser driver.
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt --no-deps axe-playwright-python
	@touch $@
	@echo "Installed."

clean:
	rm -rf _build
