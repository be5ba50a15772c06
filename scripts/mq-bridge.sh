#!/usr/bin/env bash
# Where does the gateway come from that `make bench` and `make faults` compare postern with? From pip, into target/mq-bridge, once.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=crates/bench/src/target/requirements.txt
venv=${CARGO_TARGET_DIR:-$PWD/target}/mq-bridge

# The list that was installed lies inside, written last: it says that the installation is complete.
if cmp -s "$wanted" "$venv/requirements.txt"; then
    exit 0
fi
echo "mq-bridge: installing $(cat "$wanted") into a virtual environment (once)"
python3 -m venv --clear "$venv" || {
    echo "mq-bridge: no virtual environment; 'make bench' installs what it takes, or: apt-get install python3-venv" >&2
    exit 1
}
"$venv/bin/pip" install -q --disable-pip-version-check -r "$wanted" || {
    echo "mq-bridge: pip could not install it (its words are above): is the network there?" >&2
    exit 1
}
cp "$wanted" "$venv/requirements.txt"
