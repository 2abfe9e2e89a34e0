/** Which owners wait, and how often each: an owner may have several acquires under way. */
export class WaitingOwners {
  private readonly waits = new Map<object, number>();

  /** @param sum the owners that wait in any of the pools under one total, of which this is one */
  constructor(private readonly sum?: WaitingOwners) {}

  get any(): boolean {
    return this.waits.size > 0;
  }

  has(owner: object): boolean {
    return this.waits.has(owner);
  }

  joined(owner: object): void {
    this.waits.set(owner, (this.waits.get(owner) ?? 0) + 1);
    this.sum?.joined(owner);
  }

  left(owner: object): void {
    const waits = this.waits.get(owner)! - 1;
    if (waits > 0) this.waits.set(owner, waits);
    else this.waits.delete(owner);
    this.sum?.left(owner);
  }
}
