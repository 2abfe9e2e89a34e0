// As start.mjs, for the example's demonstration.
import './build-example.mjs';

await import('../dist/examples/orders/demo/main.js');
