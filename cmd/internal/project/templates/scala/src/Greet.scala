// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
object Greet {
  def main(args: Array[String]): Unit = {
    val name = new String(System.in.readAllBytes(), "UTF-8").trim
    if (name.isEmpty) {
      System.err.println("bad input: want a name")
      System.exit(65)
    }
    System.err.println("greeting " + name)
    System.out.println("Hello, " + name + "!")
  }
}
