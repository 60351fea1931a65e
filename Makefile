# Everything is installed into .venv. PYTHON names the Python to make it with (3.11 or later).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-houses chaos bench bench-scaling bench-faults lint setup format notebook screenshots clean

demo: .venv/.demo
	@$(BIN)/wavedeck demo

test: .venv/.dev
	@$(BIN)/python -m pytest

# The engine's tests on each other kind of Redis, all of them; `make test` runs the most telling ones there.
test-houses: .venv/.dev
	@for house in sentinel cluster tls; do \
	  echo "on $$house:"; $(BIN)/python -m pytest --redis=$$house tests/store tests/engine tests/worker || exit 1; done

# Random faults, for as long as you like: SEED=… ROUNDS=100, or ROUND=… for one round of a seed.
chaos: .venv/.dev
	@$(BIN)/python tests/chaos $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ROUND),--round $(ROUND))

# Wavedeck and its peers on one wave: QUICK=1 for a round of small waves, ONLY=… for some rows, ROUNDS=…
bench: .venv/.bench
	@$(BIN)/python -m benchmarks.wave $(if $(QUICK),--quick) $(if $(ONLY),--only "$(ONLY)") $(if $(ROUNDS),--rounds $(ROUNDS))

# A wave of 1,000 to 100,000 entities on workers in proportion: measured here, simulated there.
bench-scaling: .venv/.dev
	@$(BIN)/python benchmarks/weak_scaling.py

bench-faults: .venv/.dev
	@$(BIN)/python benchmarks/faults.py

lint: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/shellcheck .ci/run

format: .venv/.dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Runs the notebook anew and keeps its pictures in it.
notebook: .venv/.dev
	@$(BIN)/jupyter execute --inplace flows/flights/compare_versions.ipynb

screenshots: .venv/.demo
	@$(BIN)/python docs/screenshots.py

setup: .venv/.dev

.venv/.demo: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -e .venv/.dev && test .venv/.dev -nt pyproject.toml || { \
	  echo "installing into .venv (a minute or two) …"; \
	  $(BIN)/python -m pip install -q --disable-pip-version-check -e '.[demo]'; }
	@touch $@

.venv/.dev: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (a minute or two) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/.demo

.venv/.bench: .venv/.demo
	@echo "installing the peers into .venv …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[bench]'
	@touch $@

clean:
	rm -rf .venv build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
