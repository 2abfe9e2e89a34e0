import type { GrpcCall } from '../transports/index.js';

interface Metadata {
  set(key: string, value: string | Buffer): void;
}

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

/**
 * When a client of gRPC may try again, in both ways that clients know: `grpc-retry-pushback-ms` is for their own retries
 * (gRFC A6), and `google.rpc.RetryInfo` for the application (google.rpc.Status, in `grpc-status-details-bin`).
 *
 * @param retryAfter seconds
 */
export function retryMetadata(call: GrpcCall, code: number, message: string, retryAfter: number): unknown {
  // The application's own class, as its copy of grpc-js need not be ours.
  const metadata = new (call.metadata.constructor as new () => Metadata)();
  metadata.set('grpc-retry-pushback-ms', String(retryAfter * 1_000));
  const info = field(1, field(1, varint(retryAfter)));
  const detail = Buffer.concat([field(1, Buffer.from(RETRY_INFO)), field(2, info)]);
  const status = Buffer.concat([field(1, varint(code)), field(2, Buffer.from(message)), field(3, detail)]);
  metadata.set('grpc-status-details-bin', status);
  return metadata;
}

/** One field of a message in the encoding of protobuf: a number, or bytes with their length before them. */
function field(number: number, value: Buffer | Varint): Buffer {
  if ('varint' in value) return Buffer.concat([Buffer.from([number << 3]), value.varint]);
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(value.length).varint, value]);
}

interface Varint {
  readonly varint: Buffer;
}

function varint(value: number): Varint {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return { varint: Buffer.from(bytes) };
}
