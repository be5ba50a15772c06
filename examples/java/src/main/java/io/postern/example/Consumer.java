package io.postern.example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.KafkaMessageFactory;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * How does a fetcher in Java read postern's events? It decodes records with the auto-detecting reader of the official
 * CloudEvents SDK, drops duplicates of strong events, asks the credential broker for a token, and prints what it would
 * fetch.
 */
public final class Consumer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String HELP = """
        Follows postern's events and prints what a fetcher would do.
          --bootstrap SERVERS   the brokers, host:port, comma-separated [127.0.0.1:9092]
          --events TOPIC        the topic of the events [postern.events.v1]
          --lifecycle TOPIC     the topic of the signals [postern.lifecycle.v1]
          --group GROUP         the consumer group [postern-example-java]
          --from-beginning      reads all that the topics hold, each time
          --max N               ends after N records
          --timeout S           ends after S seconds without a record; exit 1 if --max was not reached""";

    /** Strong events that are known again; postern delivers at least once. */
    private final Map<List<String>, Boolean> seen = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<List<String>, Boolean> eldest) {
            return size() > 10_000;
        }
    };

    /** Asks the credential broker; this is the one method to replace. The object goes to the broker as it is. */
    private static String tokenFor(JsonNode credential) {
        return "stub-token-of-" + credential.path("tenantId").asText(credential.path("provider").asText());
    }

    /** What is to be done about a record, as a line. A weak event must never suppress a fetch. */
    private String act(ConsumerRecord<byte[], byte[]> record) throws Exception {
        CloudEvent event = KafkaMessageFactory.createReader(record).toEvent();
        JsonNode data = JSON.readTree(event.getData().toBytes());
        boolean strong = data.required("identity").asText().equals("strong");
        if (strong && seen.put(List.of(event.getSource().toString(), event.getId()), true) != null) {
            return "duplicate " + event.getType() + " " + event.getId();
        }
        if (data.has("signal")) {
            return "signal " + event.getType() + " of subscription " + data.at("/subscription/id").asText();
        }
        JsonNode credential = data.required("credential");
        tokenFor(credential); // a fetcher sends it along; it is never printed
        if (data.hasNonNull("resync")) {
            return "resync " + event.getType() + " because of " + data.at("/resync/reason").asText() + " as " + credential;
        }
        JsonNode fetch = data.required("fetch");
        if (!fetch.isNull()) {
            return "fetch " + event.getType() + " " + fetch.required("method").asText() + " "
                + fetch.required("url").asText() + " as " + credential;
        }
        if (List.of("deleted", "removed").contains(data.required("change").asText())) {
            return "forget " + event.getType() + " " + data.at("/resource/id").asText() + " as " + credential;
        }
        return "list " + event.getType() + " from the position that was stored last as " + credential;
    }

    private int run(Map<String, String> options) {
        Map<String, Object> properties = Map.of(
            "bootstrap.servers", options.getOrDefault("--bootstrap", "127.0.0.1:9092"),
            "group.id", options.getOrDefault("--group", "postern-example-java"),
            "auto.offset.reset", "latest",
            "enable.auto.commit", "false", // a position is committed once its records are dealt with
            "allow.auto.create.topics", "false");
        long max = Long.parseLong(options.getOrDefault("--max", String.valueOf(Long.MAX_VALUE)));
        double timeout = Double.parseDouble(options.getOrDefault("--timeout", "Infinity"));
        List<String> topics = List.of(options.getOrDefault("--events", "postern.events.v1"),
            options.getOrDefault("--lifecycle", "postern.lifecycle.v1"));
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties, bytes, bytes)) {
            consumer.subscribe(topics, new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    if (options.containsKey("--from-beginning")) consumer.seekToBeginning(partitions);
                }
            });
            long records = 0;
            long quietSince = System.nanoTime();
            while (records < max) {
                Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    if (records == max) break;
                    records++;
                    quietSince = System.nanoTime();
                    try {
                        System.out.println(act(record));
                    } catch (Exception error) { // one bad record must not stop the others
                        System.err.printf("skipped %s partition %d offset %d: %s%n", record.topic(), record.partition(), record.offset(), error);
                    }
                    done.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                consumer.commitSync(done);
                if (System.nanoTime() - quietSince > timeout * 1e9) return max == Long.MAX_VALUE ? 0 : 1;
            }
            return 0;
        }
    }

    public static void main(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (int at = 0; at < arguments.length; at++) {
            String name = arguments[at];
            boolean alone = name.equals("--from-beginning");
            if (name.equals("--help") || !HELP.contains("  " + name + " ") || !alone && at + 1 == arguments.length) {
                System.out.println(HELP);
                System.exit(name.equals("--help") ? 0 : 2);
            }
            options.put(name, alone ? "" : arguments[++at]);
        }
        System.exit(new Consumer().run(options));
    }
}
