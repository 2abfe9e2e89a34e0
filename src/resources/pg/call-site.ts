import { readCallSites } from '../../engine/basics/call-sites.js';
import { isOwnFrame } from '../../engine/basics/own-files.js';

interface Frame {
  /** Where the call stands. */
  readonly call: string;
  /** Where the function begins that makes it. */
  readonly within: string;
}

interface Stack {
  readonly text: string;
  readonly frames: readonly Frame[];
}

const FOREIGN = /node_modules|\(node:|at node:/;

/** Where in the program something was called. Taking one costs some microseconds, looking at it more. */
export class CallSite {
  /** Not an error, whose own stack would cost as much again. */
  private readonly trace: { stack?: unknown } = {};
  private seen: Stack | undefined = undefined;

  /** @param entry the function that was called; the stack begins with its caller */
  constructor(entry: unknown) {
    Error.captureStackTrace(this.trace, entry as () => void);
  }

  /** The nearest line of the program's own, such as `at transfer (…/transfers.ts:12:5)`; undefined without a stack. */
  get place(): string | undefined {
    const lines = this.stack.text.split('\n').filter(line => /^\s+at /.test(line));
    return (lines.find(line => !FOREIGN.test(line) && !isOwnFrame(line)) ?? lines[0])?.trim();
  }

  /**
   * Was this called by the function that made the other call, or by one that it has called or awaits? Not when both are
   * one and the same call: then it is not known whether it was made twice by one, or by two.
   */
  isWithin(other: CallSite): boolean {
    const { frames } = this.stack;
    const [theirs] = other.stack.frames;
    if (!theirs || frames[0]?.call === theirs.call) return false;
    return frames.some(({ within }) => within === theirs.within);
  }

  private get stack(): Stack {
    return (this.seen ??= read(this.trace));
  }
}

/** A stack can be looked at once: as frames, or as a text, in which those who know the sources have put their lines. */
function read(trace: { stack?: unknown }): Stack {
  return readCallSites(trace, (sites, write) => ({
    frames: sites.map(frameOf),
    text: write ? String(write(sites)) : sites.map(lineOf).join('\n'),
  }));
}

function lineOf(site: NodeJS.CallSite): string {
  const place = `${site.getScriptNameOrSourceURL()}:${site.getLineNumber()}:${site.getColumnNumber()}`;
  return `    at ${site.getFunctionName() ?? 'function'} (${place})`;
}

function frameOf(site: NodeJS.CallSite): Frame {
  const script = site.getScriptNameOrSourceURL();
  return {
    call: `${script}:${site.getLineNumber()}:${site.getColumnNumber()}`,
    within: `${script}:${site.getEnclosingLineNumber()}:${site.getEnclosingColumnNumber()}`,
  };
}
