#!/usr/bin/env bash
# Where does the gateway come from that the judge holds beside postern? From pip, into target/peer, once.
set -euo pipefail
cd "$(dirname "$0")/.."

WANTED=mq-bridge==1.2.0
VENV=${CARGO_TARGET_DIR:-$PWD/target}/peer

# The name of what was installed lies inside, written last: it says that the installation is complete.
if [ "$(cat "$VENV/installed" 2>/dev/null || true)" = "$WANTED" ]; then
    exit 0
fi
echo "peer: installing $WANTED into a virtual environment (once)"
python3 -m venv --clear "$VENV" || {
    echo "peer: no virtual environment; 'make faults' installs what it takes, or: apt-get install python3-venv" >&2
    exit 1
}
"$VENV/bin/pip" install -q --disable-pip-version-check "$WANTED" || {
    echo "peer: pip could not install it (its words are above): is the network there?" >&2
    exit 1
}
printf '%s\n' "$WANTED" >"$VENV/installed"
