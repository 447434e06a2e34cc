def fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2)
sum = 0
100.times do
  map = {}
  1000.times { |i| map["record #{i}"] = i }
  sum += map.map { |name, id| name.gsub(/record /, "").to_i + id }.sum
end
$stdout.write(fib(27) == 196418 && sum == 99_900_000 ? "ok" : "wrong")
