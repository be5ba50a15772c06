#!/usr/bin/env bash
# How do I get a real Kafka for development? One KRaft node on 127.0.0.1:9092, data in target/kafka-dev.
#
#   make kafka                     starts it; Ctrl-C ends it; the data stays
#   PORT=9192 make kafka           another port; the controller takes the one after it
#   rm -rf target/kafka-dev        forgets the data
set -euo pipefail
cd "$(dirname "$0")/.."

PORT=${PORT:-9092}
TARGET=${CARGO_TARGET_DIR:-$PWD/target}
LIBS=$TARGET/kafka-4.3.0/libs
DATA=$TARGET/kafka-dev
BOOTSTRAP=127.0.0.1:$PORT

fail() {
    printf 'kafka: %s\n' "$@" >&2
    exit 1
}
listening() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

[[ $PORT =~ ^[0-9]+$ ]] && [ "$PORT" -gt 0 ] && [ "$PORT" -lt 65535 ] ||
    fail "PORT is '$PORT'; it has to be a number from 1 to 65534"
command -v java >/dev/null || fail "java is not there; 'make test' installs it, or: apt-get install default-jdk-headless"
for port in "$PORT" $((PORT + 1)); do
    ! listening "$port" || fail "something already listens on 127.0.0.1:$port; name another one: PORT=9192 make kafka"
done
scripts/kafka-jars.sh

mkdir -p "$DATA"
cat >"$DATA/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://$BOOTSTRAP,CONTROLLER://127.0.0.1:$((PORT + 1))
advertised.listeners=PLAINTEXT://$BOOTSTRAP
controller.quorum.bootstrap.servers=127.0.0.1:$((PORT + 1))
log.dirs=$DATA/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES

kafka=(java -Xms128m -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$LIBS/*")
if [ ! -e "$DATA/log/meta.properties" ]; then
    "${kafka[@]}" kafka.tools.StorageTool format --standalone \
        -t "$("${kafka[@]}" kafka.tools.StorageTool random-uuid)" -c "$DATA/server.properties" >"$DATA/format.log" 2>&1 ||
        fail "the data folder could not be prepared; it says:" "$(tail -n 5 "$DATA/format.log")"
fi

echo "kafka: starting on $BOOTSTRAP, data in $DATA"
"${kafka[@]}" kafka.Kafka "$DATA/server.properties" &
broker=$!
# A background process of a script does not hear Ctrl-C, so the script passes it on.
stopped=
trap 'stopped=1; kill "$broker" 2>/dev/null || true' INT TERM
for _ in $(seq 120); do
    [ -z "$stopped" ] || break
    kill -0 "$broker" 2>/dev/null || fail "it ended while it started; its words are above"
    if listening "$PORT"; then
        cat <<HINT
kafka: ready. In another terminal:
  cargo run -p postern -- topics create --bootstrap $BOOTSTRAP --replication 1 --min-insync 1
  cargo run -p postern -- serve --config FILE      with   [kafka] bootstrap_servers = "$BOOTSTRAP"
kafka: Ctrl-C ends it; the data stays until you delete $DATA
HINT
        break
    fi
    sleep 0.5
done
# The first wait ends with a signal, the second one with the broker.
wait "$broker" || wait "$broker" || true
echo "kafka: ended"
