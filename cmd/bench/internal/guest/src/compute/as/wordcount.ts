// Words by how often they come, with AssemblyScript's strings, Map and sort. What is printed is a digest of the result.

import { Random, mix, print } from "./host";

const names: string[] = ["call", "queue", "stream", "message", "client", "server", "reply", "subject"];
const random = new Random(3);
const parts = new Array<string>();
for (let i = 0; i < 150000; i++) {
  const n = random.below(random.below(3000) + 1);
  parts.push(names[n % 8] + (n / 7).toString());
}
const text = parts.join(" ");

class Count {
  n: i32 = 0;
  constructor(public word: string) {}
}

const counts = new Map<string, Count>();
for (let at = 0; at < text.length; ) {
  let end = at;
  while (end < text.length && text.charCodeAt(end) != 32) end++;
  const word = text.substring(at, end);
  at = end + 1;
  if (!counts.has(word)) counts.set(word, new Count(word));
  counts.get(word).n++;
}
const all = counts.values();
all.sort((a, b) => (a.n != b.n ? b.n - a.n : a.word < b.word ? -1 : 1));
let digest: u64 = 1;
for (let i = 0; i < all.length; i++) {
  digest = mix(digest, all[i].n);
  for (let k = 0; k < all[i].word.length; k++) digest = mix(digest, all[i].word.charCodeAt(k));
}
print(digest);
