// quote, in Scala: whatever the request is, it is not read. The reply is a random number and a quote.

import java.util.Random

object Quote {
  private val quotes = Array("Simple is beautiful.", "Measure, then cut.", "Every call is a new process.")

  def main(args: Array[String]): Unit = {
    val number = new Random().nextLong()
    System.out.println(number.toString + " " + quotes(java.lang.Math.floorMod(number, 3L).toInt))
  }
}
