import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** A PNG with a palette of 256 colours, one byte for each pixel, in an ArrayBuffer of its own that can be transferred. */
export function encodePng(pixels: Uint8Array, width: number, height: number): Uint8Array<ArrayBuffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits, with a palette; compression, filter and interlace are the only ones there are, or none.
  header.set([8, 3, 0, 0, 0], 8);
  // Each row begins with its filter: none.
  const rows = new Uint8Array((width + 1) * height);
  for (let row = 0; row < height; row++) {
    rows.set(pixels.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  }
  return joined([
    SIGNATURE,
    ...chunk('IHDR', header),
    ...chunk('PLTE', PALETTE),
    ...chunk('IDAT', deflateSync(rows)),
    ...chunk('IEND', new Uint8Array(0)),
  ]);
}

/** Black, and then from blue over white and orange back to blue. */
const PALETTE = Uint8Array.from({ length: 3 * 256 }, (_, byte) => {
  const index = Math.floor(byte / 3);
  const phase = [2.2, 1.1, 0][byte % 3]!;
  return index === 0 ? 0 : Math.round(127.5 * (1 + Math.sin(index / 6 - phase)));
});

function chunk(type: string, data: Uint8Array): Uint8Array[] {
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  const name = Buffer.from(type, 'latin1');
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(data, crc32(name)));
  return [length, name, data, checksum];
}

/** Not by Buffer.concat: small buffers share one ArrayBuffer, which cannot be transferred. */
function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
