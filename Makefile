# make demo | examples | test | test-c | bench | bench-peers | lint | format | stubs | build | dist | clean
#
# Each target sets itself up: a virtual environment in .venv, the packages named in pyproject.toml, and the
# extension, built again only if one of its sources changed.  Needed: Python 3.11 or newer, a C compiler, make.

PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(wildcard src_c/*.[ch] src_c/*.def adcore/*.pyx adcore/*.pxd adcore/*.pxi)
C_TESTS := $(wildcard tests/c/*.c)
JOBS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
C_PROGRAMS := $(C_TESTS:tests/c/%.c=build/c/%)
C_RUNS := $(C_TESTS:tests/c/%.c=run/%)
C_FILES := $(wildcard src_c/*.[ch] tests/c/*.[ch] tests/c/support/*.[ch] bench/by_hand/*.c)
EXAMPLES := minimal_surface obstacle bratu torsion steering power_network bundle_adjustment laplace
BENCHES := $(wildcard bench/bench_*.py)
PEERS := casadi heyoka jax torch autograd xad hyperjet numba
PEER_BENCHES := $(wildcard bench/bench_replay*.py) bench/bench_map.py bench/bench_gmm.py \
                bench/bench_sparse.py

C_WARNINGS := -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wswitch-enum \
              -Wstrict-prototypes -Werror
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all

# Prints requirements out of pyproject.toml: those of the build, of the package, and of the extras named.
define REQUIREMENTS
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    settings = tomllib.load(file)
groups = {
    "build": settings["build-system"]["requires"],
    "package": settings["project"]["dependencies"],
    **settings["project"]["optional-dependencies"],
}
print(*(line for name in sys.argv[1:] for line in groups[name]), sep="\n")
endef
export REQUIREMENTS
# $(call install,groups): the requirements of these groups, in .venv or in the environment $(2).
install = $(or $(2),.venv)/bin/python -c "$$REQUIREMENTS" $(1) > $(or $(2),.venv)/requirements.txt \
          && $(or $(2),.venv)/bin/python -m pip install --quiet -r $(or $(2),.venv)/requirements.txt

# Run by `make dist` against the installed wheel, outside the source tree.
define TRY_WHEEL
import adcore, numpy as np
got = adcore.hessian(lambda x: x[0] ** 3 * x[1] + np.sin(x[1]))(np.array([1.0, 2.0]))
np.testing.assert_allclose(got, [[12.0, 3.0], [3.0, -np.sin(2.0)]], rtol=1e-14)
print(adcore.__file__, got.tolist())
endef
export TRY_WHEEL

.PHONY: build demo examples test test-c bench bench-peers lint format stubs dist clean $(C_RUNS)
.DELETE_ON_ERROR:

build: .venv/built

.venv/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(call install,build package plot test)
	touch $@

.venv/linters: pyproject.toml | .venv/bin/python
	$(call install,lint)
	touch $@

.venv/built: .venv/installed setup.py $(SOURCES)
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	touch $@

demo: build
	$(BIN)/python examples/nist_fit.py --plot build/nist_fit.png

# Large problems with sparse derivatives, each held against what is known from elsewhere.
examples: build
	@set -e; for name in $(EXAMPLES); do echo "examples/$$name.py"; $(BIN)/python examples/$$name.py; done

# First the C tests, then pytest with a process for every processor.
test: build
	@$(MAKE) --no-print-directory -j$(JOBS) --keep-going --output-sync test-c; status=$$?; \
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS) || status=1; \
	exit $$status

# The C core alone, without Python, under the address and undefined-behaviour sanitizers where the
# compiler has them, and with its allocations counted.
test-c: $(C_RUNS)

$(C_RUNS): run/%: build/c/%
	@echo "$<"; $<

build/c/flags: Makefile
	@mkdir -p $(@D)
	@echo 'int main(void) { return 0; }' > build/c/probe.c
	@flags="-std=c11 -g1 -O1 -fno-math-errno -ffp-contract=off -DAD_DEBUG -Isrc_c -Wall -Wextra"; \
	if $(CC) $(SANITIZE) build/c/probe.c -o build/c/probe 2>/dev/null && build/c/probe; \
	then flags="$$flags $(SANITIZE)"; else echo "no sanitizers in $(CC): plain run"; fi; \
	echo "$$flags" > $@

.SECONDARY:
build/c/core/%.o: src_c/%.c $(wildcard src_c/*.h src_c/*.def) tests/c/support/allocations.h build/c/flags
	@mkdir -p $(@D)
	$(CC) @build/c/flags -include tests/c/support/allocations.h -c $< -o $@

# The loop over words, each time as the library has it: with the vector instructions of one kind of
# processor, which no loop is given that sanitizers look into.
build/c/plain/ad_run.o: src_c/ad_run.c build/c/core/ad_run.o
	@mkdir -p $(@D)
	$(CC) @build/c/flags -O3 -fno-sanitize=all -include tests/c/support/allocations.h -c $< -o $@
build/c/test_words: build/c/plain/ad_run.o
build/c/test_words: REPLACED := build/c/core/ad_run.o

build/c/%: tests/c/%.c tests/c/support/allocations.c $(wildcard tests/c/*.h) \
           $(patsubst src_c/%.c,build/c/core/%.o,$(wildcard src_c/*.c)) build/c/flags
	$(CC) @build/c/flags $(filter-out $(REPLACED),$(filter %.c %.o,$^)) -lm -lpthread -o $@

# BENCH_ARGS is passed to each script, for instance --quick.  One that fails does not keep the others from
# running; the limits of all stand at the end.
bench: build
	@rm -rf build/bench/*.json; ran=; for script in $(BENCHES); do \
	    echo "$$script"; $(BIN)/python $$script $(BENCH_ARGS); ran="$$ran $$script=$$?"; \
	done; $(BIN)/python bench/summary.py $$ran $(filter --check,$(BENCH_ARGS))

# The benchmarks of compiled programs beside other packages, in an environment of their own: those that
# cannot be installed are named and left out.  PEERS picks some, PIP_ARGS is passed to pip.
bench-peers: .venv-peers/built
	@set -e; for script in $(PEER_BENCHES); do echo "$$script"; .venv-peers/bin/python $$script $(BENCH_ARGS); done

.venv-peers/installed: pyproject.toml
	$(PYTHON) -m venv .venv-peers
	$(call install,build package,.venv-peers)
	@for name in $(PEERS); do .venv-peers/bin/python -m pip install --quiet $(PIP_ARGS) $$name \
	    || echo "left out: $$name cannot be installed here"; done
	touch $@

.venv-peers/built: .venv-peers/installed setup.py $(SOURCES) $(wildcard adcore/*.py adcore/*/*.py)
	.venv-peers/bin/python -m pip install --quiet --no-build-isolation --no-deps .
	touch $@

lint: .venv/linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint adcore
	@set -e; for file in $(filter %.c,$(C_FILES)); do \
	    echo "$(CC) -fsyntax-only $$file"; $(CC) $(C_WARNINGS) -fsyntax-only -Isrc_c $$file; done

format: .venv/linters
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(C_FILES)

# The stub files, from the package as built.
stubs: build
	$(BIN)/python tests/stubs.py

# sdist, a wheel made from the sdist, and the wheel tried in an environment of its own.
dist: .venv/installed
	$(call install,dist)
	rm -rf dist build/dist-venv
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv build/dist-venv
	build/dist-venv/bin/python -m pip install --quiet dist/*.whl
	cd build && dist-venv/bin/python -c "$$TRY_WHEEL"
	@ls -l dist

clean:
	rm -rf build dist .venv .venv-peers adcore/_core.c adcore/*.so *.egg-info
