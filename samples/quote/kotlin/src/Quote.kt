// quote, in Kotlin: whatever the request is, it is not read. The reply is a random number and a quote.

import java.util.Random

private val quotes = arrayOf("Simple is beautiful.", "Measure, then cut.", "Every call is a new process.")

fun main() {
  val number = Random().nextLong()
  println("$number ${quotes[Math.floorMod(number, 3L).toInt()]}")
}
