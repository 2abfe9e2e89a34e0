// As start.mjs, for the demonstration of the shop.
import { buildExamples } from './build-examples.mjs';

buildExamples('orders');
await import('../dist/examples/orders/demo/main.js');
