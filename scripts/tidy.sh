#!/usr/bin/env bash
# Are all dependencies under licences, from sources and of kinds that deny.toml allows?
#
# tidy.sh VERSION   checks with that version of cargo-deny, and installs it if it is not there
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: scripts/tidy.sh VERSION}
if [ "$(cargo deny --version 2>/dev/null || true)" != "cargo-deny $version" ]; then
    echo "tidy: installing cargo-deny $version (some minutes, once)"
    cargo install --locked "cargo-deny@$version"
fi

echo "tidy: cargo deny check bans licenses sources"
cargo deny --locked check bans licenses sources

# The advisories are a database that has to be fetched: not having it is said, and is not a pass.
echo "tidy: cargo deny check advisories"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if cargo deny --locked check advisories >"$log" 2>&1; then
    cat "$log"
elif grep -qE 'failed to (fetch|load|open).*advisory|failed to fetch' "$log"; then
    echo "tidy: SKIPPED the advisories: their database cannot be had here, so nobody knows; run this where it can"
else
    cat "$log" >&2
    exit 1
fi
