import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An interpreter of a small language: text becomes tokens, a tree, and code of a stack machine, which is run. */
public final class Interpreter {
  private static final String PROGRAM = String.join("\n",
      "limit = 60000; count = 0; sum = 0; n = 2;",
      "while n < limit { prime = 1; d = 2;",
      "  while d * d <= n { if n % d == 0 { prime = 0; d = n; } d = d + 1; }",
      "  if prime == 1 { count = count + 1; sum = (sum * 31 + n) % 1000003; }",
      "  n = n + 1; }",
      "a = 0; b = 1; i = 0;",
      "while i < 400000 { t = (a + b) % 1000007; a = b; b = t; i = i + 1; }",
      "result = sum * 1000 + count + a;");

  enum Op { PUSH, LOAD, STORE, ADD, SUB, MUL, MOD, LESS, LESS_EQUAL, EQUAL, JUMP, JUMP_UNLESS }

  record Instruction(Op op, int value) {}

  private final List<String> tokens = new ArrayList<>();
  private final List<Instruction> code = new ArrayList<>();
  private final Map<String, Integer> variables = new HashMap<>();
  private int at;

  public static void main(String[] args) {
    long digest = 1;
    for (int round = 0; round < 2; round++) {
      Interpreter i = new Interpreter();
      digest = digest * 31 + i.run(PROGRAM);
    }
    System.out.print(Long.toHexString(digest));
  }

  long run(String text) {
    split(text);
    while (at < tokens.size()) statement();
    return execute()[variables.get("result")];
  }

  private void split(String text) {
    for (int i = 0; i < text.length(); ) {
      char c = text.charAt(i);
      int from = i++;
      if (Character.isLetterOrDigit(c)) {
        while (i < text.length() && Character.isLetterOrDigit(text.charAt(i))) i++;
      } else if (c == ' ' || c == '\n') {
        continue;
      } else if (i < text.length() && text.charAt(i) == '=') {
        i++;
      }
      tokens.add(text.substring(from, i));
    }
  }

  private String next() {
    return tokens.get(at++);
  }

  private void expect(String token) {
    String got = next();
    if (!got.equals(token)) throw new IllegalStateException(got + " where " + token + " should be");
  }

  private int emit(Op op, int value) {
    code.add(new Instruction(op, value));
    return code.size() - 1;
  }

  private void block() {
    expect("{");
    while (!tokens.get(at).equals("}")) statement();
    at++;
  }

  private void statement() {
    String first = next();
    if (first.equals("while") || first.equals("if")) {
      int begin = code.size();
      comparison();
      int jump = emit(Op.JUMP_UNLESS, 0);
      block();
      if (first.equals("while")) emit(Op.JUMP, begin);
      code.set(jump, new Instruction(Op.JUMP_UNLESS, code.size()));
      return;
    }
    expect("=");
    comparison();
    emit(Op.STORE, slot(first));
    expect(";");
  }

  private int slot(String name) {
    return variables.computeIfAbsent(name, k -> variables.size());
  }

  private void comparison() {
    sum();
    Op op = switch (tokens.get(at)) {
      case "<" -> Op.LESS;
      case "<=" -> Op.LESS_EQUAL;
      case "==" -> Op.EQUAL;
      default -> null;
    };
    if (op == null) return;
    at++;
    sum();
    emit(op, 0);
  }

  private void sum() {
    product();
    while (tokens.get(at).equals("+") || tokens.get(at).equals("-")) {
      Op op = next().equals("+") ? Op.ADD : Op.SUB;
      product();
      emit(op, 0);
    }
  }

  private void product() {
    factor();
    while (tokens.get(at).equals("*") || tokens.get(at).equals("%")) {
      Op op = next().equals("*") ? Op.MUL : Op.MOD;
      factor();
      emit(op, 0);
    }
  }

  private void factor() {
    String t = next();
    if (t.equals("(")) {
      comparison();
      expect(")");
    } else if (Character.isDigit(t.charAt(0))) {
      emit(Op.PUSH, Integer.parseInt(t));
    } else {
      emit(Op.LOAD, slot(t));
    }
  }

  private long[] execute() {
    Instruction[] program = code.toArray(new Instruction[0]);
    long[] stack = new long[64];
    long[] memory = new long[variables.size()];
    int top = 0;
    for (int pc = 0; pc < program.length; ) {
      Instruction in = program[pc++];
      switch (in.op()) {
        case PUSH -> stack[top++] = in.value();
        case LOAD -> stack[top++] = memory[in.value()];
        case STORE -> memory[in.value()] = stack[--top];
        case JUMP -> pc = in.value();
        case JUMP_UNLESS -> {
          if (stack[--top] == 0) pc = in.value();
        }
        default -> {
          long b = stack[--top];
          long a = stack[top - 1];
          stack[top - 1] = switch (in.op()) {
            case ADD -> a + b;
            case SUB -> a - b;
            case MUL -> a * b;
            case MOD -> a % b;
            case LESS -> a < b ? 1 : 0;
            case LESS_EQUAL -> a <= b ? 1 : 0;
            default -> a == b ? 1 : 0;
          };
        }
      }
    }
    return memory;
  }
}
