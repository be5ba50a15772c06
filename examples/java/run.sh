#!/usr/bin/env bash
# How does the Java consumer start? Maven compiles it and copies its jars to target/examples-java, once.
#
#   examples/java/run.sh --from-beginning --max 10      runs it; --help lists its options
#   examples/java/run.sh --set-up                       only builds it
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
mkdir -p "$target"
output=$(cd "$target" && pwd)/examples-java

sources=$(cd "$here" && find pom.xml src -type f | sort | xargs cat | sha256sum)
# What was built is written down last: it says that the build is complete.
if [ "$sources" != "$(cat "$output/built" 2>/dev/null)" ]; then
    mkdir -p "$output"
    exec 9>"$output.lock"
    flock 9
    if [ "$sources" != "$(cat "$output/built" 2>/dev/null)" ]; then
        command -v mvn >/dev/null || {
            echo "java: mvn is not there; 'make test' installs it, or: apt-get install maven default-jdk-headless" >&2
            exit 1
        }
        echo "java: building the consumer with Maven (once)" >&2
        rm -rf "$output/libs" "$output/classes"
        words=$(mvn -B -q -f "$here/pom.xml" "-Doutput=$output" compile dependency:copy-dependencies 2>&1) || {
            printf '%s\n' "$words" >&2
            echo "java: Maven could not build it (its words are above)" >&2
            exit 1
        }
        printf '%s\n' "$sources" >"$output/built"
    fi
    exec 9>&-
fi
if [ "${1:-}" = --set-up ]; then
    exit 0
fi
exec java -Xmx128m -Dfile.encoding=UTF-8 -Dsun.stdout.encoding=UTF-8 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$output/classes:$output/libs/*" \
    io.postern.example.Consumer "$@"
