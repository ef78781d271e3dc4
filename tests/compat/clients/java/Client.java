// The client of the scenarios with Kafka's own Java client.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.*;

public class Client {
  static final ObjectMapper JSON = new ObjectMapper();
  static final PrintStream OUT = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false,
      StandardCharsets.UTF_8);
  static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

  final JsonNode options;
  final String topic;

  Client(JsonNode options) {
    this.options = options;
    this.topic = options.path("topic").asText();
  }

  Map<String, Object> settings(Object... more) {
    Map<String, Object> all = new HashMap<>();
    all.put("bootstrap.servers", options.get("bootstrap").asText());
    for (int i = 0; i < more.length; i += 2) all.put((String) more[i], more[i + 1]);
    return all;
  }

  static byte[] bytes(JsonNode text) {
    return text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
  }

  static String text(byte[] bytes) {
    return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
  }

  void produce() throws Exception {
    AtomicReference<Exception> failed = new AtomicReference<>();
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
        settings("compression.type", options.get("codec").asText(), "linger.ms", 5, "request.timeout.ms", 10000),
        new ByteArraySerializer(), new ByteArraySerializer())) {
      for (String line = IN.readLine(); line != null; line = IN.readLine()) {
        JsonNode one = JSON.readTree(line);
        RecordHeaders headers = new RecordHeaders();
        for (JsonNode h : one.get("headers")) headers.add(h.get("key").asText(), bytes(h.get("value")));
        Long time = one.has("timestamp") ? one.get("timestamp").asLong() : null;
        int i = one.get("i").asInt();
        producer.send(new ProducerRecord<>(topic, null, time, bytes(one.get("key")), bytes(one.get("value")), headers),
            (told, error) -> {
              if (error != null) {
                failed.set(error);
              } else {
                OUT.printf("{\"i\": %d, \"partition\": %d, \"offset\": %d}\n", i, told.partition(), told.offset());
              }
            });
      }
    }
    if (failed.get() != null) throw failed.get();
  }

  void show(ConsumerRecord<byte[], byte[]> record) {
    ObjectNode shown = JSON.createObjectNode().put("partition", record.partition()).put("offset", record.offset())
        .put("timestamp", record.timestamp()).put("key", text(record.key())).put("value", text(record.value()));
    for (Header h : record.headers()) {
      shown.withArray("headers").addObject().put("key", h.key()).put("value", text(h.value()));
    }
    OUT.println(shown);
  }

  KafkaConsumer<byte[], byte[]> consumer(Object... more) {
    Map<String, Object> all = settings(more);
    all.put("auto.offset.reset", "earliest");
    return new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  List<TopicPartition> partitions() {
    List<TopicPartition> all = new ArrayList<>();
    for (int p = 0; p < options.get("partitions").asInt(); ++p) all.add(new TopicPartition(topic, p));
    return all;
  }

  void consume() {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      consumer.assign(partitions());
      consumer.seekToBeginning(partitions());
      options.path("offsets").fields().forEachRemaining(start -> consumer.seek(
          new TopicPartition(topic, Integer.parseInt(start.getKey())), start.getValue().asLong()));
      for (int left = options.get("count").asInt(); left > 0;) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          show(record);
          --left;
        }
      }
    }
  }

  void group() throws Exception {
    AtomicBoolean ended = new AtomicBoolean();
    Thread watcher = new Thread(() -> {
      try {
        while (IN.readLine() != null) {}
      } catch (java.io.IOException ignored) {
        // the same as its end
      }
      ended.set(true);
    });
    watcher.setDaemon(true);
    watcher.start();
    try (KafkaConsumer<byte[], byte[]> consumer = consumer("group.id", options.get("group").asText(),
        "auto.commit.interval.ms", 200, "session.timeout.ms", 10000, "heartbeat.interval.ms", 500)) {
      consumer.subscribe(List.of(topic));
      while (!ended.get()) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) show(record);
        OUT.flush();
      }
    }
  }

  void times() {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      Map<TopicPartition, Long> asked = new HashMap<>();
      for (TopicPartition p : partitions()) asked.put(p, options.get("time").asLong());
      consumer.offsetsForTimes(asked).forEach((p, found) -> OUT.printf(
          "{\"partition\": %d, \"offset\": %d}\n", p.partition(), found.offset()));
    }
  }

  static JsonNode call(Admin admin, JsonNode call) throws Exception {
    String name = call.path("name").asText();
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
    ObjectNode answer = JSON.createObjectNode();
    switch (call.get("do").asText()) {
      case "create_topic": {
        Map<String, String> configs = new HashMap<>();
        call.get("configs").fields().forEachRemaining(c -> configs.put(c.getKey(), c.getValue().asText()));
        admin.createTopics(List.of(new NewTopic(name, call.get("partitions").asInt(),
            (short) call.get("replicas").asInt()).configs(configs))).all().get();
        return answer;
      }
      case "list_topics":
        return JSON.valueToTree(admin.listTopics().names().get());
      case "create_partitions":
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(call.get("partitions").asInt()))).all().get();
        return answer;
      case "describe_configs":
        for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
          answer.put(entry.name(), entry.value());
        }
        return answer;
      case "alter_config":
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(
            new ConfigEntry(call.get("key").asText(), call.get("value").asText()), AlterConfigOp.OpType.SET))))
            .all().get();
        return answer;
      case "delete_records":
        admin.deleteRecords(Map.of(new TopicPartition(name, call.get("partition").asInt()),
            RecordsToDelete.beforeOffset(call.get("offset").asLong()))).all().get();
        return answer;
      case "list_groups":
        return JSON.valueToTree(admin.listGroups().all().get().stream().map(GroupListing::groupId).toList());
      case "describe_group": {
        ConsumerGroupDescription found = admin.describeConsumerGroups(List.of(name)).all().get().get(name);
        return answer.put("state", found.groupState().name()).put("members", found.members().size());
      }
      case "group_offsets":
        admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get().forEach(
            (p, committed) -> answer.put(String.valueOf(p.partition()), committed.offset()));
        return answer;
      case "delete_group":
        admin.deleteConsumerGroups(List.of(name)).all().get();
        return answer;
      case "delete_topic":
        admin.deleteTopics(List.of(name)).all().get();
        return answer;
      case "describe_cluster":
        return answer.put("brokers", admin.describeCluster().nodes().get().size());
      default:
        throw new IllegalArgumentException(call.toString());
    }
  }

  void admin() throws Exception {
    try (Admin admin = Admin.create(settings())) {
      for (String line = IN.readLine(); line != null; line = IN.readLine()) {
        ObjectNode answer = JSON.createObjectNode();
        try {
          answer.set("ok", call(admin, JSON.readTree(line)));
        } catch (ExecutionException error) {
          answer.put("error", error.getCause().getClass().getSimpleName() + " " + error.getCause().getMessage());
        }
        OUT.println(answer);
        OUT.flush();
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    Client client = new Client(JSON.readTree(arguments[1]));
    switch (arguments[0]) {
      case "produce": client.produce(); break;
      case "consume": client.consume(); break;
      case "group": client.group(); break;
      case "times": client.times(); break;
      case "admin": client.admin(); break;
      default: throw new IllegalArgumentException(arguments[0]);
    }
    OUT.flush();
  }
}
