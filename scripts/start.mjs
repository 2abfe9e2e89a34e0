// The example runs in this very process, and package.json says `exec`: npm hands a SIGTERM to the process it
// started, and a shell there would not pass it on.
import './build-example.mjs';

await import('../dist/examples/orders/main.js');
