# On a machine with python3 and make alone, `make scan` and `make test` are each enough.
#
#   make scan                          a demonstration: out/report.html, out/scan.json, out/report.txt
#   make scan TARGETS="host host:8443" the same of your own servers
#   make test                          format, lint, types, layers and all tests
#   make bench | lock | clean

PYTHON ?= python3
# Many tests wait for deadlines more than they compute, the slow ones above all.
JOBS ?= 3
WAITING_JOBS ?= 8
TARGETS ?=

BIN := .venv/bin
STAMP := .venv/complete
REPORTS := out/scan.json out/report.html out/report.txt

# The real servers (and the browser, LibreOffice and the reader of PDFs) of the tests, by Debian's
# names, and a program of each.
SERVER_PACKAGES := nginx openssl gnutls-bin haproxy default-jdk-headless chromium \
	postfix dovecot-imapd dovecot-pop3d slapd bind9 bind9-utils nsd unbound iproute2 nftables \
	redis-server openssh-server snmpd coturn ocserv openvpn apache2 \
	strongswan-swanctl charon-systemd libstrongswan-standard-plugins \
	libreoffice-calc-nogui poppler-utils fonts-ipafont-gothic
SERVER_PROGRAMS := nginx openssl gnutls-serv haproxy javac chromium postfix dovecot slapd named \
	dnssec-signzone nsd unbound ip nft \
	redis-server sshd snmpd turnserver ocserv openvpn apache2 swanctl charon-systemd \
	soffice pdftotext pdftoppm

# What not every release of Debian has.
SOMETIMES := softether-vpnserver

# Exit codes 1 (something failed) and 3 (something could not be looked at) are verdicts in a report.
VERDICT := case $$? in 1|3) ;; *) exit $$? ;; esac

.NOTPARALLEL:
.PHONY: scan test servers bench lock clean

scan: $(STAMP)
	@mkdir -p out && rm -f $(REPORTS)
ifeq ($(strip $(TARGETS)),)
	@$(BIN)/tlscheck demo --out out || $(VERDICT)
else
	@set -f; $(BIN)/tlscheck scan $(TARGETS) --save out/scan.json -f text -o out/report.txt || $(VERDICT)
	@$(BIN)/tlscheck judge out/scan.json -f html -o out/report.html || $(VERDICT)
	@cat out/report.txt
endif
	@for report in $(REPORTS); do test -s $$report || { echo "$$report was not written" >&2; exit 1; }; done
	@echo "written: $(REPORTS)"

test: $(STAMP) servers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(JOBS) --dist worksteal -q -rs -m "not slow and not online"
	$(BIN)/pytest -n $(WAITING_JOBS) --dist loadgroup -q -rs -m "slow and not online" \
		$$(grep -rl --include='test_*.py' 'mark\.slow' tests)

bench: $(STAMP) servers
	$(BIN)/python bench/bench.py

# Both locks carry hashes and no host names; run.lock is the part that the program needs to run.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --override constraints/override.txt pyproject.toml
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv (pip install uv)" >&2; exit 1; }
	$(LOCK) --group dev -o requirements.lock
	$(LOCK) --constraint requirements.lock -o constraints/run.lock

clean:
	rm -rf .venv out dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# Everything that is installed, exactly as locked. sslyze alone is built here, from its sdist.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "tlscheck needs Python 3.11 or newer as $(PYTHON); name another with make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh tools/apt-install.sh must python3-venv
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

servers:
	@for program in $(SERVER_PROGRAMS); do \
		PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || missing=yes; \
	done; \
	test -z "$$missing" || sh tools/apt-install.sh may $(SERVER_PACKAGES)
	@for package in $(SOMETIMES); do \
		if apt-cache show $$package >/dev/null 2>&1 && ! dpkg -s $$package >/dev/null 2>&1; then \
			sh tools/apt-install.sh may $$package; \
		fi; \
	done
