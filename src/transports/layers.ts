import type { HttpScope } from './http.js';

/** A layer that has returned a promise. */
interface Work {
  readonly layer: number;
  readonly settled: PromiseLike<unknown>;
  /** Set while it holds the scope. */
  drop: (() => void) | undefined;
  /** It is a doubt, no hold. */
  doubted: boolean;
}

/**
 * What a platform runs for one request, layer after layer: middleware, routers, and the route that is Nest's own way
 * through guards, interceptors, handler and filters. Who returns a promise is at work until that has settled, and holds
 * the scope as long. Not so Nest: what it runs has holds of its own, and its way goes on for a moment after the answer.
 */
export class Layers {
  /** So many have begun. */
  private begun = 0;
  /** The one that is Nest's. */
  private route = 0;
  /** When Nest has gone its way. */
  private way: PromiseLike<unknown> | undefined = undefined;
  /** Of a scope that has borrowed nothing yet; nothing is kept of layers that are not asynchronous. */
  private works: Work[] | undefined = undefined;
  private holding = false;
  /** The response will never finish: those that wait for that wait for ever. */
  private unfinished = false;
  /** Lets go of Nest's way, where there is nothing to wait for on it any more. */
  dropWay: (() => void) | undefined = undefined;

  constructor(private readonly scope: HttpScope) {}

  /** Has Nest got to one of its routes? */
  get reached(): boolean {
    return this.route > 0;
  }

  /**
   * A layer begins. Every request comes here several times, so what runs is no function that would have to be made.
   *
   * @returns what to tell {@link returned}
   */
  begin(): number {
    if (this.unfinished) this.suspect();
    return ++this.begun;
  }

  /** A layer has returned. */
  returned(layer: number, result: unknown): void {
    // A thenable of another kind may begin its work each time it is asked.
    if (!(result instanceof Promise)) return;
    if (layer === this.route) {
      this.way = result;
      if (this.scope.hasLostItsClient) this.holdWay();
      return;
    }
    const work: Work = { layer, settled: result, drop: undefined, doubted: false };
    if (this.holding) this.holdWork(work);
    (this.works ??= []).push(work);
  }

  /** Nest has got to one of its routes, in the layer that has begun last. */
  reach(): void {
    if (this.route === this.begun) return;
    this.route = this.begun;
    // Already returned: the providers of this request had to be made first.
    const work = this.works?.find(({ layer }) => layer === this.route);
    if (!work) return;
    this.works = this.works?.filter(other => other !== work);
    this.way = work.settled;
    if (this.scope.hasLostItsClient) this.holdWay();
    work.drop?.();
  }

  /** From now on there is something to give back. */
  hold(): void {
    this.holding = true;
    for (const work of this.works ?? []) this.holdWork(work);
  }

  /** Nobody will be answered: now the end of Nest's way is what there is to wait for. */
  clientLeft(): void {
    if (this.way) this.holdWay();
  }

  /**
   * The response will never finish. A layer that has gone on to the next may wait for that (to log it, say), and then never
   * settles: what it does is in doubt.
   */
  suspect(): void {
    this.unfinished = true;
    for (const work of this.works ?? []) {
      const { drop } = work;
      if (!drop || work.doubted || work.layer === this.begun) continue;
      this.holdWork(work);
      drop();
    }
  }

  private holdWork(work: Work): void {
    work.doubted = this.unfinished && work.layer < this.begun;
    const drop = (work.drop = work.doubted ? this.scope.doubt() : this.scope.hold());
    work.settled.then(drop, drop);
  }

  private holdWay(): void {
    // On Fastify it goes on until the response has finished, which one that is answered by hand may never have.
    if (!this.scope.isNestToAnswer) return;
    const drop = (this.dropWay = this.scope.hold());
    this.way?.then(() => {
      this.scope.wentItsWay();
      drop();
    }, drop);
  }
}
