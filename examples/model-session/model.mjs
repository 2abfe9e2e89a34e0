// A model to run: some layers of `relu(x · w)`, written as ONNX by hand, so that nothing has to be downloaded.
// The numbers of the fields are those of onnx.proto: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
import { Buffer } from 'node:buffer';

const FLOAT = 1;

/** @returns the bytes of a model with the input x and the output y, both of any number of rows of `width` numbers */
export function makeModel({ width, layers }) {
  const nodes = [];
  const weights = [];
  for (let i = 0; i < layers; i++) {
    const input = i === 0 ? 'x' : `relu${i - 1}`;
    nodes.push(node('MatMul', [input, `w${i}`], `product${i}`));
    nodes.push(node('Relu', [`product${i}`], i === layers - 1 ? 'y' : `relu${i}`));
    weights.push(tensor(`w${i}`, [width, width], weightsOf(width, i)));
  }
  const graph = [
    ...nodes.map(each => bytes(1, each)),
    text(2, 'layers'),
    ...weights.map(each => bytes(5, each)),
    bytes(11, value('x', width)),
    bytes(12, value('y', width)),
  ];
  const opset = [text(1, ''), number(2, 13)];
  return Buffer.concat([number(1, 8), bytes(7, Buffer.concat(graph)), bytes(8, Buffer.concat(opset))]);
}

/** Always the same ones, so that all sessions must answer the same. */
function weightsOf(width, seed) {
  const values = new Float32Array(width * width);
  let x = seed + 1;
  for (let i = 0; i < values.length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0;
    values[i] = (x / 2 ** 31) * Math.sqrt(6 / width);
  }
  return values;
}

function node(type, inputs, output) {
  return Buffer.concat([...inputs.map(each => text(1, each)), text(2, output), text(4, type)]);
}

function tensor(name, dimensions, values) {
  const { buffer, byteOffset, byteLength } = values;
  return Buffer.concat([
    ...dimensions.map(each => number(1, each)),
    number(2, FLOAT),
    text(8, name),
    bytes(9, Buffer.from(buffer, byteOffset, byteLength)),
  ]);
}

function value(name, width) {
  const shape = Buffer.concat([bytes(1, text(2, 'rows')), bytes(1, number(1, width))]);
  const type = Buffer.concat([number(1, FLOAT), bytes(2, shape)]);
  return Buffer.concat([text(1, name), bytes(2, bytes(1, type))]);
}

const text = (field, string) => bytes(field, Buffer.from(string));
const bytes = (field, content) => Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
const number = (field, integer) => Buffer.concat([varint(field * 8), varint(integer)]);

function varint(integer) {
  const out = [];
  for (; integer > 127; integer = Math.floor(integer / 128)) out.push((integer % 128) + 128);
  return Buffer.from([...out, integer]);
}
