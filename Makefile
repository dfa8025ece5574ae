# Two commands do everything on a fresh Debian 12 machine, as root: make run, make test.

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
DATA    ?= $(CURDIR)/build/demo
LISTEN  ?= 127.0.0.1:8080
HOSTS   ?= 2
NAME    ?= demo
ZSTUI   := $(BIN)/zstui --data $(DATA) --listen $(LISTEN)
LOCAL   := $(if $(filter local,$(HOSTS)),--local,--hosts $(HOSTS))

# What building and the tests need; what lab hosts and the tiny image need is listed where they are made.
PACKAGES := build-essential pkg-config python3-dev python3-venv libvirt-dev binutils \
  libvirt-daemon libvirt-daemon-system libvirt-clients libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils \
  dnsmasq-base nftables iproute2 openssh-server openssh-client ethtool sudo iputils-ping \
  mtools syslinux syslinux-common extlinux dosfstools e2fsprogs cpio xz-utils busybox-static udhcpc xorriso \
  debootstrap shellcheck tmux curl fonts-noto-cjk fonts-firacode fonts-dejavu-core \
  chromium

# The tests start Python hundreds of times: it is to keep what it has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run stop clean check lint contracts types safety unit test e2e bench torture screenshots installer agent tiny \
  client setup format docs texts

run: setup agent tiny
	@$(ZSTUI) lab cloud --name $(NAME) $(LOCAL)

stop:
	@if [ -x $(BIN)/zstui ]; then $(ZSTUI) lab down --name $(NAME) $(LOCAL); fi

clean:
	@if [ -x $(BIN)/zstui ]; then $(ZSTUI) lab purge --name $(NAME) $(LOCAL); fi
	rm -rf $(DATA)

setup: build/.packages $(VENV)/.installed

PROGRESS = awk -f packaging/progress.awk -v

build/.packages: Makefile
	@mkdir -p build
	@missing=$$(dpkg-query -W -f='$${Package} $${db:Status-Status}\n' $(PACKAGES) 2>/dev/null | awk '$$2=="installed"{print $$1}' \
	  | sort -u | comm -13 - <(printf '%s\n' $(PACKAGES) | sort -u)); \
	set -o pipefail; { if [ -n "$$missing" ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -y -q --no-install-recommends $$missing; fi; } 2>&1 | tee build/packages.log \
	  | $(PROGRESS) what='system packages' || { tail -5 build/packages.log; exit 1; }
	@touch $@

$(VENV)/.installed: pyproject.toml requirements.lock packaging/progress.awk | build/.packages
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@set -o pipefail; { PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check -r requirements.lock \
	  && $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . ; } 2>&1 \
	  | tee build/python.log | $(PROGRESS) total=$$(grep -c == requirements.lock) -v what='python packages' \
	  || { tail -5 build/python.log; exit 1; }
	@touch $@

agent: setup tiny
	@$(BIN)/python packaging/agent.py --vmlinuz build/tiny/vmlinuz

tiny: setup
	@$(BIN)/python packaging/tiny/build.py --out build/tiny

# ZStack's own client in an environment of its own; the tests drive the appliance with it.
client: build/client/.installed

build/client/.installed: tests/clients/requirements.lock | build/.packages
	@echo "  ZStack's client"
	@$(PYTHON) -m venv build/client
	@build/client/bin/python -m pip install -q --disable-pip-version-check -r $< >build/client.log 2>&1 \
	  || { tail -5 build/client.log; exit 1; }
	@touch $@

format: setup
	$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

docs: setup
	$(BIN)/python -m appliance.serve.documents

# Adds new texts of the screens to the catalogues, drops old ones, and says what is to be translated.
texts: setup
	@$(BIN)/python -m zstui.i18n.catalogues

# Everything quick: no host, no guest, nothing that is long. What is one process runs beside the tests, which are three
# and wait at times.
CHECKS := contracts types safety unit
UNIT   := not lab and not bench

check: lint
	@$(MAKE) --no-print-directory -j $(CHECKS) UNIT="$(UNIT) and not long"

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

contracts: setup
	@$(BIN)/lint-imports

types: setup
	@$(BIN)/mypy

safety: setup
	@$(BIN)/bandit -q -ii -c pyproject.toml -r appliance agent zstui packaging

unit: setup
	@$(BIN)/python -m pytest -q -n 3 --dist worksteal -m "$(UNIT)"

# Everything: the quick part, with what real hosts need built beside it, then real hosts in the lab.
test: lint
	@$(MAKE) --no-print-directory -j $(CHECKS) agent client
	@$(MAKE) --no-print-directory e2e

e2e: setup agent tiny client
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "lab and not bench and not alone"
	$(BIN)/python -m pytest -q -m "lab and alone"

bench: setup agent tiny
	$(BIN)/python -m pytest -q -s -m bench tests/bench

torture: setup
	$(BIN)/python -m tests.simulation.torture
	ZSTUI_FUZZ=100 $(BIN)/python -m pytest -q -n 2 --timeout 1800 tests/agent/test_parsers.py tests/appliance/api/test_texts.py
	ZSTUI_FUZZ=100 $(BIN)/python -m pytest -q -s -m lab tests/agent/test_dhcp_noise.py

screenshots: setup agent tiny
	ZSTUI_SCREENSHOTS=write $(BIN)/python -m pytest -q -m lab tests/e2e/test_screens.py \
	  tests/e2e/test_tour.py

installer: setup agent tiny
	@$(BIN)/python packaging/installer.py

SHELL := /bin/bash
