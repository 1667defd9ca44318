import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.GZIPInputStream;

/** The JDK's client with its defaults: it asks for an upgrade to HTTP/2. */
public class Calls {
    static final String BASE = System.getenv("BASE_URL");
    static final HttpClient CLIENT = HttpClient.newHttpClient();

    static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(BASE + path))
                .header("Authorization", "Bearer " + System.getenv("DUMMY"));
    }

    static String text(HttpRequest request) throws Exception {
        HttpResponse<String> answer = CLIENT.send(request, BodyHandlers.ofString());
        expect(answer.statusCode() == 200, answer + answer.body());
        return answer.body();
    }

    static void expect(boolean good, String otherwise) {
        if (!good) throw new AssertionError(otherwise);
    }

    public static void main(String[] arguments) throws Exception {
        String first = text(request("/echo").GET().build());
        expect(first.contains("\"method\":\"GET\"") && !first.contains("upgrade"), first);

        byte[] body = new byte[300_000];
        new java.util.Random(1).nextBytes(body);
        String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
        String posted = text(request("/echo").POST(BodyPublishers.ofByteArray(body)).build());
        expect(posted.contains(digest) && posted.contains("\"length\":300000"), posted);
        // Without a length: in chunks.
        String streamed = text(request("/echo").POST(BodyPublishers.ofInputStream(
                () -> new java.io.ByteArrayInputStream(body))).build());
        expect(streamed.contains(digest), streamed);

        HttpResponse<InputStream> packed = CLIENT.send(
                request("/gzip").header("Accept-Encoding", "gzip").build(), BodyHandlers.ofInputStream());
        expect(packed.headers().firstValue("Content-Encoding").equals(java.util.Optional.of("gzip")),
                packed.headers().toString());
        String plain = new String(new GZIPInputStream(packed.body()).readAllBytes());
        expect(plain.equals("{\"packed\": true}\n"), plain);

        // It follows no redirects by default; where this one leads is ours.
        HttpResponse<String> redirect = CLIENT.send(request("/redirect").build(), BodyHandlers.ofString());
        String location = redirect.headers().firstValue("Location").orElse("none");
        expect(redirect.statusCode() == 302 && location.equals(BASE + "/echo?redirected"), location);

        for (int call = 0; call < 50; call++) text(request("/echo").build());
        System.out.println("java " + Runtime.version().feature() + " get, post, chunked, gzip, redirect, 50 more");
    }
}
