import { createRequire } from 'node:module';

/** The optional package, or undefined where it is not installed. */
export function loadOnnx() {
  try {
    return createRequire(import.meta.url)('onnxruntime-node');
  } catch (error) {
    // A file that is missing within the package is another matter.
    if (error.code === 'MODULE_NOT_FOUND' && error.message.includes("'onnxruntime-node'")) return undefined;
    throw error;
  }
}

/** @param {number} threads how many threads may work on one run of this session */
export function openSession(ort, path, threads) {
  return ort.InferenceSession.create(path, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Threads that wait for the next run do not spin meanwhile: they share the cores with everybody else.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
}

/** One run of a model of model.mjs. @returns its output, as a Float32Array */
export async function infer(ort, session, input, width) {
  const x = new ort.Tensor('float32', input, [input.length / width, width]);
  const { y } = await session.run({ x });
  return y.data;
}
