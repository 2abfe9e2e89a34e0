// Autocannon in a process of its own, started by load.ts: the probes of the test must not wait for it. Sends its result
// when it is told to stop. It counts two things more, since autocannon does not.
import autocannon from 'autocannon';

/** Connections that ended instead of an answer: autocannon connects again, and says nothing. */
let unanswered = 0;
let unavailableWithoutRetryAfter = 0;
const clients = new Set();

function setupClient(client) {
  const counts = { requests: 0, answers: 0 };
  clients.add(counts);
  client.on('request', () => counts.requests++);
  client.on('response', () => counts.answers++);
  client.on('headers', ({ statusCode, headers }) => {
    const hasRetryAfter = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'retry-after');
    if (statusCode === 503 && !hasRetryAfter) unavailableWithoutRetryAfter++;
  });
}

const load = autocannon(
  // Until it is told to stop. Latency is that of answers that succeeded.
  { ...JSON.parse(process.argv[2]), duration: 600, excludeErrorStats: true, setupClient },
  (error, result) => {
    if (error) throw error;
    // One may be under way on each connection.
    for (const { requests, answers } of clients) unanswered += Math.max(0, requests - answers - 1);
    process.send({ ...result, unanswered, unavailableWithoutRetryAfter }, () => process.exit());
  },
);
process.once('message', () => load.stop());
// Whoever has started it is gone.
process.once('disconnect', () => process.exit(1));
