// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
import java.io.IOException;
import java.nio.charset.StandardCharsets;

public final class Greet {
  public static void main(String[] args) throws IOException {
    String name = new String(System.in.readAllBytes(), StandardCharsets.UTF_8).trim();
    if (name.isEmpty()) {
      System.err.println("bad input: want a name");
      System.exit(65);
    }
    System.err.println("greeting " + name);
    System.out.println("Hello, " + name + "!");
  }
}
