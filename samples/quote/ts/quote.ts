// quote, in TypeScript: whatever the request is, it is not read. The reply is a random number and a quote.

const QUOTES: string[] = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."];
const number: number = Math.floor(Math.random() * 2 ** 53);
console.log(`${number} ${QUOTES[number % 3]}`);
