import type { GraphqlScope } from './scope.js';

/**
 * One execution whose end is told by others. Until then its scope is held: between two resolvers of it nobody may be at
 * work who could be seen, and a promise in what one has returned is waited for by graphql-js itself.
 */
export class ExecutionUnit {
  private clear: () => void;
  private isOver = false;

  constructor(readonly scope: GraphqlScope) {
    this.clear = scope.hold();
  }

  /** Its result is there. */
  over(): void {
    this.isOver = true;
    // The executor refuses a generator where it wants a list.
    this.scope.read();
    this.clear();
  }

  /** Its client has left, so that its end may never be told. */
  unwatched(): void {
    if (this.isOver) return;
    const drop = this.clear;
    this.clear = this.scope.doubt();
    this.scope.left();
    this.scope.read();
    drop();
  }
}
