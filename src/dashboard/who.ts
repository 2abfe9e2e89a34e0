import { isOwnFrame } from '../engine/basics/own-files.js';

/** Everything from users is cut: an owner, a key or a stack may be of any length. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** The frames of a stack that are of the application, or all where none is: those of this library tell nobody anything. */
export function framesOf(stack: string): string[] {
  const frames = stack
    .split('\n')
    .map(line => line.trim())
    .filter(line => line.startsWith('at '));
  const own = frames.filter(
    frame => !isOwnFrame(frame) && !frame.includes('node:') && !/[\\/]nestjs-pool[\\/]dist[\\/]/.test(frame),
  );
  return own.length > 0 ? own : frames;
}

/** Who somebody is: what it calls itself, or else where it has acquired. */
export function whoOf(owner: string | undefined, stack: string | undefined): string | undefined {
  return owner === undefined ? placeOf(stack) : cut(owner, 120);
}

/** In which function, and in which line of which file. */
export function placeOf(stack: string | undefined): string | undefined {
  const [frame] = stack === undefined ? [] : framesOf(stack);
  return frame && cut(frame.replace(/\(.*[\\/]([^\\/]+)\)$/, '($1)').replace(/^at /, ''), 120);
}
