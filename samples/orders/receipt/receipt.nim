## receipt, in Nim, the last of the five functions of an order: in comes what the others have made of it, out comes
## a line for the customer. What is no order is exit code 65.

{.compile: "glue.c".}
import std/[json, strformat, strutils]

const badData = 65

type Order = object
  ## An order as pack writes it.
  order, item, country: string
  count, price, net, tax, total, boxes: int

proc money(cents: int): string =
  fmt"{cents div 100}.{cents mod 100:02}"

proc receipt(o: Order): string =
  let boxes = if o.boxes == 1: "1 box" else: fmt"{o.boxes} boxes"
  fmt"{o.count} x {o.item} at {money(o.price)}, tax {money(o.tax)}, total {money(o.total)} EUR, {boxes} to {o.country}"

proc parse(line: string): Order =
  # An order is flat; what is nested deep would take more stack than there is.
  if line.count('{') != 1 or '[' in line: raise newException(ValueError, "not an order as pack writes it")
  parseJson(line).to(Order)

try:
  let o = parse(stdin.readAll)
  stdout.write $(%*{"order": o.order, "receipt": o.receipt}) & "\n"
except ValueError, KeyError: # what is not JSON, or not an order
  stderr.write "bad order: " & getCurrentExceptionMsg() & "\n"
  quit(badData)
