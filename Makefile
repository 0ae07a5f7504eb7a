# make demo   a humanoid stands up, over ROS 2    (VIEW=1 shows it in a browser, SEED=3 starts elsewhere)
# make test   linters, types and tests            (ARGS="test/test_share.py -k name" runs some of the tests)
#
# The first call installs the pinned requirements into .venv, with ROS 2 itself where none is sourced.
# pip's own configuration holds. Where pip would fetch PyTorch with CUDA, which is not needed, give it
# an index of CPU wheels: make TORCH_INDEX=<address>

PYTHON ?= python3
BIN := .venv/bin
# a virtual environment that is made for another ROS 2, or for none, is made anew
CREATED := .venv/.created-for-$(or $(ROS_DISTRO),no-ros)
INSTALLED := .venv/.installed
REQUIREMENTS := requirements.txt requirements-dev.txt $(if $(ROS_DISTRO),,requirements-ros.txt)
COMMA := ,
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help install demo test clean

help:
	@sed -n 's/^# make/make/p' Makefile

install: $(INSTALLED)

demo: $(INSTALLED)
	@$(BIN)/python -m polo_ros.nodes.demo $(if $(VIEW),--viewer) $(if $(SEED),--seed $(SEED)) $(ARGS)

# Two workers: the nodes under test mostly start up and wait. A sourced ROS 2 has pytest plug-ins of its
# own, for other versions of pytest.
test: $(INSTALLED)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy polo_ros experiments
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest -p xdist.plugin -n 2 --dist loadfile $(ARGS)

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(CREATED):
	@command -v $(PYTHON) >/dev/null || \
	  { echo "polo_ros needs Python 3.11 or newer, and there is no $(PYTHON); name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "polo_ros needs Python 3.11 or newer, and $(PYTHON) is older; name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(if $(ROS_DISTRO),--system-site-packages) .venv
	@touch $@

$(INSTALLED): $(CREATED) $(REQUIREMENTS) setup.py setup.cfg
	@echo "Installing into .venv$(if $(ROS_DISTRO), on top of ROS 2 $(ROS_DISTRO),$(COMMA) with ROS 2 from wheels); the first time takes minutes"
	@$(PIP) install $(REQUIREMENTS:%=-r %) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
	@$(PIP) --quiet install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import rclpy' 2>/dev/null || \
	  { echo "$(PYTHON) cannot import rclpy$(if $(ROS_DISTRO), of ROS 2 $(ROS_DISTRO): name its own Python (make PYTHON=/usr/bin/python3) or call make where no ROS 2 is sourced)" >&2; exit 1; }
	@touch $@
