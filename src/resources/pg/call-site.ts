interface Frame {
  /** Where the call stands. */
  readonly call: string;
  /** Where the function begins that makes it. */
  readonly within: string;
}

/** Where in the program something was called. Taking one costs some microseconds, looking at it more. */
export class CallSite {
  // Two, since a stack that has been looked at frame by frame is no text any more.
  private readonly text = new Error('called');
  private readonly sites = new Error('called');

  /** @param entry the function that was called; the stack begins with its caller */
  constructor(entry: unknown) {
    Error.captureStackTrace(this.text, entry as () => void);
    Error.captureStackTrace(this.sites, entry as () => void);
  }

  /** The nearest line of the program's own, such as `at transfer (…/transfers.ts:12:5)`; undefined without a stack. */
  get place(): string | undefined {
    const [, ...lines] = (this.text.stack ?? '').split('\n');
    return (lines.find(line => !/node_modules|\(node:|at node:/.test(line)) ?? lines[0])?.trim();
  }

  /**
   * Was this called by the function that made the other call, or by one that it has called or awaits? Not when both are
   * one and the same call: then it is not known whether it was made twice by one, or by two.
   */
  isWithin(other: CallSite): boolean {
    const frames = this.frames();
    const [theirs] = other.frames();
    if (!theirs || frames[0]?.call === theirs.call) return false;
    return frames.some(({ within }) => within === theirs.within);
  }

  private frames(): readonly Frame[] {
    const original = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
    Error.prepareStackTrace = (_error, sites) => sites.map(frameOf);
    try {
      return this.sites.stack as unknown as readonly Frame[];
    } finally {
      if (original) Object.defineProperty(Error, 'prepareStackTrace', original);
      else Reflect.deleteProperty(Error, 'prepareStackTrace');
    }
  }
}

function frameOf(site: NodeJS.CallSite): Frame {
  const script = site.getScriptNameOrSourceURL();
  return {
    call: `${script}:${site.getLineNumber()}:${site.getColumnNumber()}`,
    within: `${script}:${site.getEnclosingLineNumber()}:${site.getEnclosingColumnNumber()}`,
  };
}
