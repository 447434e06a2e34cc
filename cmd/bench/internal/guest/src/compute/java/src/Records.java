import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Records that are made, written as text, read again, grouped, sorted and added up, with Java's collections. */
public final class Records {
  record Order(int id, String customer, String item, long cents) {
    String line() {
      return id + ";" + customer + ";" + item + ";" + cents;
    }

    static Order of(String line) {
      int a = line.indexOf(';');
      int b = line.indexOf(';', a + 1);
      int c = line.indexOf(';', b + 1);
      return new Order(Integer.parseInt(line.substring(0, a)), line.substring(a + 1, b), line.substring(b + 1, c),
          Long.parseLong(line.substring(c + 1)));
    }
  }

  private static long seed = 7;

  private static int below(int n) {
    seed = seed * 6364136223846793005L + 1442695040888963407L;
    return (int) ((seed >>> 33) % n);
  }

  public static void main(String[] args) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 60000; i++) {
      text.append(new Order(i, "customer" + below(5000), "item" + below(300), below(1000000)).line()).append('\n');
    }
    List<Order> all = new ArrayList<>();
    String lines = text.toString();
    for (int at = 0, end; (end = lines.indexOf('\n', at)) >= 0; at = end + 1) all.add(Order.of(lines.substring(at, end)));

    Map<String, List<Order>> byCustomer = new HashMap<>();
    Map<String, Long> byItem = new TreeMap<>();
    for (Order o : all) {
      byCustomer.computeIfAbsent(o.customer(), k -> new ArrayList<>()).add(o);
      byItem.merge(o.item(), o.cents(), Long::sum);
    }
    all.sort(Comparator.comparingLong(Order::cents).thenComparing(Order::customer).thenComparingInt(Order::id));
    long digest = 1;
    for (Order o : all) digest = (digest ^ o.id()) * 0x100000001b3L;
    for (var e : byItem.entrySet()) digest = (digest ^ e.getValue() ^ e.getKey().hashCode()) * 0x100000001b3L;
    for (String c : new TreeMap<>(byCustomer).keySet()) digest = digest * 31 + byCustomer.get(c).size();
    System.out.print(Long.toHexString(digest));
  }
}
