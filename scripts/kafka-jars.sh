#!/usr/bin/env bash
# Where does a real Kafka come from? Maven copies its jars (43 MB, once) to target/kafka-4.3.0/libs.
#
# The tests look in the same place, by the same rules: crates/rig/src/kafka/jars.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

POM=tests/kafka/pom.xml
PLACE=${CARGO_TARGET_DIR:-$PWD/target}/kafka-4.3.0

mkdir -p "$PLACE"
exec 9>"$PLACE/lock"
flock 9
# The list that was fetched lies beside the jars, written last: it says that they are complete.
if cmp -s "$POM" "$PLACE/pom.xml"; then
    exit 0
fi
command -v mvn >/dev/null || {
    echo "kafka: mvn is not there; 'make test' installs it, or: apt-get install maven" >&2
    exit 1
}
echo "kafka: fetching Apache Kafka 4.3.0 with Maven (43 MB, once)"
rm -rf "$PLACE/libs"
words=$(mvn -B -q -f "$POM" dependency:copy-dependencies "-DoutputDirectory=$PLACE/libs" 2>&1) || {
    printf "%s\n" "$words" >&2
    echo "kafka: Maven could not fetch it (its words are above): is the network there?" >&2
    exit 1
}
cp "$POM" "$PLACE/pom.xml"
