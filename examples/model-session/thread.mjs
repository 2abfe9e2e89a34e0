// A thread that has one session: `session.run` of onnxruntime-node does its work in the thread that calls it.
import { parentPort, workerData } from 'node:worker_threads';
import { infer, loadOnnx, openSession } from './onnx.mjs';

const { path, width, threads, warmUpRows } = workerData;
const ort = loadOnnx();
const session = await openSession(ort, path, threads);
// The first run allocates what all later ones use.
await infer(ort, session, new Float32Array(warmUpRows * width), width);

parentPort.on('message', async message => {
  if (message === 'close') {
    await session.release();
    parentPort.close();
    return;
  }
  try {
    const output = await infer(ort, session, message, width);
    parentPort.postMessage({ output }, [output.buffer]);
  } catch (error) {
    // What this run was given was wrong: the session goes on.
    parentPort.postMessage({ refused: error.message });
  }
});
parentPort.postMessage('ready');
