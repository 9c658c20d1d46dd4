#!/bin/sh
# apt-install.sh must|may PACKAGE…: install Debian packages when root, and start nothing by it.
# Without root (or apt): one line that says what to run; with "must" that is the end.
set -eu
how=$1
shift

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    case $how in
        must) echo "missing: $*; run as root: apt-get install $*" >&2; exit 1 ;;
        *) echo "tests that need one of them are SKIPPED; run as root: apt-get install $*" >&2; exit 0 ;;
    esac
fi

# Debian's packages ask policy-rc.d whether a service may be started; 101 means no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

enabled() {
    find /etc/systemd/system -type l -name '*.service' 2>/dev/null | sort
}

before=$(enabled)
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@" >/dev/null

# Nor shall the next boot start what was just installed.
enabled | while read -r link; do
    printf '%s\n' "$before" | grep -qxF "$link" || rm -f "$link"
done
