// One workload in a process of its own: `node one.mjs idle`, and for those that have one for each contender
// `node one.mjs memory tarn`. Sends what it has measured to whoever has started it.
import { Skipped } from './measure.mjs';

const [name, contender] = process.argv.slice(2);
const { default: workload } = await import(`./workloads/${name}.mjs`);
try {
  process.send({ measured: await workload.run(contender) });
} catch (error) {
  if (!(error instanceof Skipped)) throw error;
  process.send({ skipped: error.message });
}
// What is still open, timers of pools that know no end among it, is nobody's concern.
process.disconnect();
process.exit();
