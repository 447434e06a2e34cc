function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
const list = [];
for (let i = 0; i < 1000; i++) list.push({ id: i, name: `record ${i}`, tags: ['a', 'b'] });
let sum = 0;
for (let round = 0; round < 10; round++) {
  const map = new Map();
  for (const r of JSON.parse(JSON.stringify(list))) map.set(r.name, r.id);
  for (const id of map.values()) sum += id;
}
write(fib(23) === 28657 && sum === 4995000 ? 'ok' : 'wrong');
