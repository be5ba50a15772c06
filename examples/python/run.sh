#!/usr/bin/env bash
# How does the Python consumer start? Its packages go into a virtual environment under target/, once.
#
#   examples/python/run.sh --from-beginning --max 10      runs it; --help lists its options
#   examples/python/run.sh --set-up                       only installs its packages
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${CARGO_TARGET_DIR:-$here/../../target}/examples-python

# The list that was installed lies inside, written last: it says that the installation is complete.
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    mkdir -p "$venv"
    exec 9>"$venv.lock"
    flock 9
    if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
        echo "python: installing the consumer's packages into a virtual environment (once)" >&2
        python3 -m venv --clear "$venv" || {
            echo "python: no virtual environment; 'make test' installs what it takes, or: apt-get install python3-venv" >&2
            exit 1
        }
        "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" >&2 || {
            echo "python: pip could not install the packages (its words are above): is the network there?" >&2
            exit 1
        }
        cp "$here/requirements.txt" "$venv/requirements.txt"
    fi
    exec 9>&-
fi
if [ "${1:-}" = --set-up ]; then
    exit 0
fi
exec "$venv/bin/python" "$here/consumer.py" "$@"
