// quote, in Java: whatever the request is, it is not read. The reply is a random number and a quote.

import java.util.Random;

public final class Quote {
  private static final String[] QUOTES = {"Simple is beautiful.", "Measure, then cut.", "Every call is a new process."};

  public static void main(String[] args) {
    long number = new Random().nextLong();
    System.out.println(number + " " + QUOTES[(int) Long.remainderUnsigned(number, 3)]);
  }
}
