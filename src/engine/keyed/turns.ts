/** Members that could make use of a place, by how many they have; among equals, whose turn it is first. */
export class Turns<M> {
  /** How many members there are. */
  size = 0;
  /** How many places they could make use of, taken together. */
  demand = 0;
  private readonly queues: Set<M>[] = [];
  /** How many {@link first} had when it came; all queues before that one are empty. */
  fewest = 0;

  get first(): M | undefined {
    while (this.queues[this.fewest]?.size === 0) this.fewest++;
    const [first] = this.queues[this.fewest] ?? [];
    return first;
  }

  queueOf(alive: number): Set<M> {
    while (this.queues.length <= alive) this.queues.push(new Set());
    this.fewest = Math.min(this.fewest, alive);
    return this.queues[alive]!;
  }
}
