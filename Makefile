# make demo    a humanoid stands up, over ROS 2 nodes     (SEED=3 starts elsewhere; VIEW=1 shows it in a browser, PORT=8090;
#              ROBOTS=3 TASK=cartpole_swingup: three cart-poles teach one learner)
# make learn   a cart-pole learns to swing up in a minute: reward with and without the learner     (SEED=3, TASK=...)
# make shell   a shell in which `polo` is a command
# make check   format, lint, types and the tests that start no process: a minute
# make test    everything: make check, the nodes, the experiments, the packaging     (ARGS="test/graph -k name", WORKERS=2)
# make docs    the documentation's site, in build/docs
# make clean   removes what these commands made
#
# ROS=kilted takes the wheels of ROS 2 Kilted in place of Jazzy's; where a ROS 2 is sourced, that one is used.
# The first call installs the package and the versions of constraints.txt into .venv (.venv-kilted). pip's own
# configuration holds. Where pip would fetch PyTorch with CUDA, which is not needed, name an index of CPU
# wheels: make TORCH_INDEX=<address>

PYTHON ?= python3
WHEELS := jazzy kilted
ROS ?= $(or $(ROS_DISTRO),jazzy)
ifneq ($(ROS_DISTRO),)
  ifneq ($(ROS),$(ROS_DISTRO))
    $(error ROS 2 $(ROS_DISTRO) is sourced; ROS=$(ROS) is for shells where none is)
  endif
else ifeq ($(filter $(ROS),$(WHEELS)),)
  $(error ROS=$(ROS): there are wheels of $(WHEELS); source any other ROS 2)
endif

VENV := .venv$(if $(filter-out jazzy,$(ROS)),-$(ROS))
BIN := $(VENV)/bin
# an environment that was made on top of another ROS 2, or of none, is made anew
CREATED := $(VENV)/.created-for-$(if $(ROS_DISTRO),sourced,wheels)
INSTALLED := $(VENV)/.installed
REQUIREMENTS := setup.cfg setup.py constraints.txt
MODELS := test/models.txt

COMMA := ,
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
WHEEL := $(if $(ROS_DISTRO),,ros-$(ROS))
extras = $(if $(strip $(1)),[$(subst $(SPACE),$(COMMA),$(strip $(1)))])
WATCHED := $(VIEW)$(PORT)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
INSTALL = $(PIP) install -c $(VENV)/constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -e

# A sourced ROS 2 has pytest plug-ins of its own, for other versions of pytest: name those that are used.
# The files' order is that of test/conftest.py.
WORKERS ?= $(shell nproc)
PYTEST := PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest -p xdist.plugin -n $(WORKERS) --dist loadfile \
  --no-loadscope-reorder

# Python prints a traceback at a Ctrl-C in its first tenth of a second: signals wait until the program takes them
PATIENT := $(shell env --block-signal=INT,TERM echo env --block-signal=INT,TERM 2>/dev/null)

.PHONY: help install demo learn shell lint check test docs clean

help:
	@sed -n 's/^# make/make/p' Makefile

install: $(INSTALLED)-develop

demo: $(INSTALLED)$(if $(WATCHED),-viewer)
	@$(PATIENT) $(BIN)/python -m polo_ros.nodes.demo $(if $(VIEW),--viewer) $(if $(SEED),--seed $(SEED)) $(if $(PORT),--port $(PORT)) $(if $(ROBOTS),--robots $(ROBOTS)) $(if $(TASK),--task $(TASK)) $(ARGS)

learn: $(INSTALLED)
	@$(PATIENT) $(BIN)/python -m polo_ros.nodes.learn $(if $(TASK),--task $(TASK)) $(if $(SEED),--seed $(SEED)) $(ARGS)

# the start-up file of an interactive bash can put other folders first, so that it has to come before
shell: $(INSTALLED)
	@echo 'test ! -f ~/.bashrc || . ~/.bashrc; . $(abspath $(BIN))/activate' > $(VENV)/bashrc
	@PATH="$(abspath $(BIN)):$$PATH" bash --rcfile $(VENV)/bashrc

lint: $(INSTALLED)-develop
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy polo_ros experiments benchmarks

check: lint
	$(PYTEST) test/unit $(ARGS)

test: lint
	$(PYTEST) -p pytest_cov.plugin --cov --cov-report= $(ARGS)
	@echo "Coverage of polo_ros by the unit tests: $$($(BIN)/python -m coverage report --format=total) %"

docs: $(INSTALLED)-docs
	$(BIN)/python -m mkdocs build --strict

clean:
	rm -rf .venv .venv-* build *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage

$(CREATED):
	@command -v $(PYTHON) >/dev/null || \
	  { echo "polo_ros needs Python 3.11 or newer, and there is no $(PYTHON); name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "polo_ros needs Python 3.11 or newer, and $(PYTHON) is older; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(if $(ROS_DISTRO),--system-site-packages) $(VENV)
	@touch $@

$(INSTALLED): $(CREATED) $(REQUIREMENTS)
	@echo "Installing into $(VENV), $(if $(ROS_DISTRO),on top of ROS 2 $(ROS),with ROS 2 $(ROS) from wheels); the first time takes minutes"
	@sed $(if $(ROS_DISTRO),'/^numpy==/d','') constraints.txt > $(VENV)/constraints.txt
	@$(INSTALL) '.$(call extras,$(WHEEL))'
	@$(BIN)/python -c 'import rclpy' 2>/dev/null || \
	  { echo "$(PYTHON) cannot import rclpy$(if $(ROS_DISTRO), of ROS 2 $(ROS): name its own Python (make PYTHON=/usr/bin/python3) or call make where no ROS 2 is sourced)" >&2; exit 1; }
	@touch $@

$(INSTALLED)-develop: $(INSTALLED) $(MODELS)
	@echo "Installing the developer's tools into $(VENV)"
	@$(INSTALL) '.$(call extras,$(WHEEL) viewer record lerobot rerun tensorboard hub sweep ray dask optuna test)'
	@$(PIP) install --no-deps -r $(MODELS)
	@touch $@ $(INSTALLED)-viewer

$(INSTALLED)-viewer: $(INSTALLED)
	@echo "Installing the browser view into $(VENV)"
	@$(INSTALL) '.$(call extras,$(WHEEL) viewer)'
	@touch $@

$(INSTALLED)-docs: $(INSTALLED)
	@echo "Installing what builds the documentation into $(VENV)"
	@$(INSTALL) '.$(call extras,$(WHEEL) docs)'
	@touch $@
