// quote, in JavaScript: whatever the request is, it is not read. The reply is a random number and a quote.

import * as std from "std";

const QUOTES = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."];
const number = Math.floor(Math.random() * 2 ** 53);
std.out.puts(`${number} ${QUOTES[number % 3]}\n`);
