#!/usr/bin/env bash
# Does every part still lack what it must not have? ARCHITECTURE.md says why.
#
# Each absence comes with the presence of the same name elsewhere: a misspelt name finds nothing anywhere.
set -euo pipefail
cd "$(dirname "$0")/.."

faults=0
fault() {
    printf 'absences: %s\n' "$*" >&2
    faults=$((faults + 1))
}

# The names of the crates that a crate is built from (tests aside), itself included.
tree() { cargo tree --locked -p "$1" -e normal --prefix none --format '{p}' | cut -d ' ' -f 1 | sort -u; }
# Those that it names itself.
direct() { cargo tree --locked -p "$1" -e normal --depth 1 --prefix none --format '{p}' | cut -d ' ' -f 1 | sort -u; }
members() { cargo tree --locked --workspace --depth 0 --prefix none --format '{p}' | cut -d ' ' -f 1 | grep . | sort -u; }

has() { grep -qx "$2" <<<"${trees[$1]}" || fault "$1 no longer has $2: is the name still right?"; }
lacks() { ! grep -qx "$2" <<<"${trees[$1]}" || fault "$1 must not have $2 in its tree; see: cargo tree -p $1 -i $2"; }

declare -A trees
crates=$(members)
for crate in $crates; do
    trees[$crate]=$(tree "$crate")
done

# Kafka has one door. The rig has its own: it audits what the product wrote, so it must not read by the same code.
has postern-kafka rdkafka
has postern-kafka rdkafka-sys
has postern-rig rdkafka
# And the benchmark measures librdkafka bare, which the product's own crate would hide.
has postern-bench rdkafka
for crate in $crates; do
    if ! [[ $crate =~ ^postern-(kafka|rig|bench)$ ]] && grep -qx rdkafka <<<"$(direct "$crate")"; then
        fault "$crate depends on rdkafka itself; of the product only postern-kafka may"
    fi
done
for crate in postern-core postern-edge postern-sim postern-spool; do
    lacks "$crate" rdkafka
    lacks "$crate" rdkafka-sys
done

# Deciding what a delivery means takes no I/O.
for name in tokio hyper hyper-util; do
    has postern-edge "$name"
    lacks postern-core "$name"
done
# The crates of the product do not know each other sideways.
has postern postern-edge
has postern postern-kafka
lacks postern-edge postern-kafka
lacks postern-kafka postern-edge
has postern postern-spool
for crate in postern-edge postern-kafka; do
    lacks "$crate" postern-spool
    lacks postern-spool "$crate"
done

# The simulator and the auditor prove nothing when they sign, parse and read with the product's own code.
for name in postern-core postern-edge postern-kafka; do
    has postern "$name"
    lacks postern-sim "$name"
    lacks postern-rig "$name"
    lacks postern-judge "$name"
done
# And nothing of theirs ships.
lacks postern postern-rig
lacks postern postern-bench

# Nothing follows redirects or reads proxy variables; the binary's one client, for key sets, is the plain one.
for crate in $crates; do
    for client in reqwest ureq isahc attohttpc surf curl hyper-tls; do
        lacks "$crate" "$client"
    done
    [ "$crate" = postern ] || lacks "$crate" hyper-rustls
done

# The workspace's lints forbid unsafe code and deny more; a crate has to ask for them.
grep -qE '^unsafe_code = "forbid"' Cargo.toml || fault "Cargo.toml no longer forbids unsafe code"
for manifest in crates/*/Cargo.toml; do
    grep -qx 'workspace = true' <<<"$(grep -A1 -x '\[lints\]' "$manifest")" || fault "$manifest lacks [lints] workspace = true"
done

# Lines of Rust that a pattern finds; comments and unit tests are left out.
grep_code() {
    local file
    find "${@:2}" -name '*.rs' ! -name tests.rs ! -path '*/tests/*' | sort | while read -r file; do
        PATTERN=$1 awk '
            /^ *#\[cfg\(test\)\]/ { exit }
            { sub(/\/\/.*/, "") }
            $0 ~ ENVIRON["PATTERN"] { printf "  %s:%d:%s\n", FILENAME, FNR, $0 }
        ' "$file"
    done
}

client='hyper::client|client::conn|client::legacy'
[ -n "$(grep_code "$client" crates/sim/src)" ] || fault "crates/sim has no HTTP client: is the pattern still right?"
found=$(grep_code "$client" crates/core/src crates/edge/src crates/kafka/src)
[ -z "$found" ] || fault "the edge has no HTTP client:"$'\n'"$found"

# One file decides which outcome has which status.
number='(20[0-4]|30[1278]|40[0-9]|41[0-9]|42[0-9]|431|50[234])'
status="StatusCode|status_mut|(^|[^0-9A-Za-z_.])$number([^0-9A-Za-z_.]|\$)"
[ -n "$(grep_code "$status" crates/edge/src/respond.rs)" ] || fault "crates/edge/src/respond.rs has no status codes: has the file moved?"
found=$(grep_code "$status" crates/edge/src | grep -vE '^  crates/edge/src/respond.rs:|from_(milli|sec)s\(' || true)
[ -z "$found" ] || fault "status codes belong into crates/edge/src/respond.rs alone:"$'\n'"$found"

# What is committed runs on any machine.
found=$(git ls-files -co --exclude-standard | while read -r file; do
    if [ -f "$file" ]; then grep -InHE '(^|[^A-Za-z0-9_.~})])/(work|root|home|tmp)/' "$file" || true; fi
done)
[ -z "$found" ] || fault "paths of one machine:"$'\n'"$found"

if [ "$faults" -gt 0 ]; then
    echo "absences: $faults found" >&2
    exit 1
fi
echo "absences: none of what must be absent is there"
