// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
import kotlin.system.exitProcess

fun main() {
  val name = String(System.`in`.readBytes()).trim()
  if (name.isEmpty()) {
    System.err.println("bad input: want a name")
    exitProcess(65)
  }
  System.err.println("greeting $name")
  println("Hello, $name!")
}
