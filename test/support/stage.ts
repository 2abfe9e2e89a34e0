interface Mark {
  readonly arrived: Promise<void>;
  readonly arrive: () => void;
  readonly opened: Promise<void>;
  readonly open: () => void;
}

/** Named places in the code under test where it stops until the test lets it go on: order without clocks. */
export class Stage {
  private readonly marks = new Map<string, Mark>();
  private over = false;

  /** The code under test has come here; it goes on when the test opens the place. */
  async pass(name: string): Promise<void> {
    const mark = this.mark(name);
    mark.arrive();
    await mark.opened;
  }

  /** The code under test has come by here, and goes on. */
  note(name: string): void {
    this.mark(name).arrive();
  }

  /** Resolves when the code under test has come to this place. */
  reached(name: string): Promise<void> {
    return this.mark(name).arrived;
  }

  open(...names: string[]): void {
    for (const name of names) this.mark(name).open();
  }

  /** The test is over: nothing stops anywhere any more. */
  openAll(): void {
    this.over = true;
    for (const mark of this.marks.values()) mark.open();
  }

  /** Another test begins: nobody has been anywhere. */
  reset(): void {
    this.openAll();
    this.marks.clear();
    this.over = false;
  }

  private mark(name: string): Mark {
    let mark = this.marks.get(name);
    if (!mark) {
      const [arrived, arrive] = gate();
      const [opened, open] = gate();
      mark = { arrived, arrive, opened, open };
      this.marks.set(name, mark);
      if (this.over) open();
    }
    return mark;
  }
}

function gate(): [Promise<void>, () => void] {
  let open!: () => void;
  const promise = new Promise<void>(resolve => {
    open = resolve;
  });
  return [promise, open];
}
