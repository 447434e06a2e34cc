// quote, in JavaScript: whatever the request is, it is not read. The reply is a random number and a quote.

const QUOTES = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."];
const number = Math.floor(Math.random() * 2 ** 53);
console.log(`${number} ${QUOTES[number % 3]}`);
