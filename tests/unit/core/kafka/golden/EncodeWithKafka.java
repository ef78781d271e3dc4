// Encodes messages with Kafka's own generated classes: the other side of make_golden.py.
//
// Reads lines "NAME KIND VERSION CORRELATION-ID CLIENT-ID JSON" and prints for each the frame's header
// and body in hexadecimal and the message as Kafka's JSON converter writes it again, so that what is
// kept is what Kafka understood. A client id of "-" is null.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

public class EncodeWithKafka {
  static final ObjectMapper JSON = new ObjectMapper();

  static String hex(Message message, short version) {
    ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  static String header(ApiKeys key, boolean isRequest, short version, int correlationId, String clientId) {
    if (!isRequest) {
      return hex(new ResponseHeaderData().setCorrelationId(correlationId), key.responseHeaderVersion(version));
    }
    RequestHeaderData header = new RequestHeaderData()
        .setRequestApiKey(key.id).setRequestApiVersion(version).setCorrelationId(correlationId).setClientId(clientId);
    return hex(header, key.requestHeaderVersion(version));
  }

  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] parts = line.split(" ", 6);
      boolean isRequest = parts[1].equals("request");
      short version = Short.parseShort(parts[2]);
      String name = parts[0] + (isRequest ? "Request" : "Response") + "Data";
      Class<?> converter = Class.forName("org.apache.kafka.common.message." + name + "JsonConverter");
      Class<?> data = Class.forName("org.apache.kafka.common.message." + name);
      ApiMessage message = (ApiMessage) converter.getMethod("read", JsonNode.class, short.class)
          .invoke(null, JSON.readTree(parts[5]), version);
      JsonNode json = (JsonNode) converter.getMethod("write", data, short.class, boolean.class)
          .invoke(null, message, version, true);
      String header = header(ApiKeys.forId(message.apiKey()), isRequest, version, Integer.parseInt(parts[3]),
                             parts[4].equals("-") ? null : parts[4]);
      out.println(header + " " + hex(message, version) + " " + JSON.writeValueAsString(json));
    }
    out.flush();
  }
}
