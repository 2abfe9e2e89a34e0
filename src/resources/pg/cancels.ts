import { startTimer } from '../../engine/time/timer.js';
import { requestCancel } from './cancel-request.js';
import type { Session } from './session.js';

/** Milliseconds in which what a borrower did not wait for may end by itself. */
const GRACE = 100;
/** So many requests to cancel are under way at once, for all connections of a pool: each is a connection for a moment. */
const MOST_CANCELS = 2;
/** Milliseconds after which a request that the server has not closed is given up. */
const PATIENCE = 5_000;

/** The requests to cancel that are under way for one pool. */
export class Cancels {
  private underWay = 0;
  private readonly queue: (() => void)[] = [];

  /** @param reachable false when the server cannot be reached by another socket */
  constructor(private readonly reachable: boolean) {}

  /**
   * Cleans a session whose borrower has given it back, maybe without having waited for its last query (a `Promise.all` of
   * which another part has failed, a `query_timeout`): that is cancelled, unless it soon ends by itself.
   */
  async reset(session: Session): Promise<boolean> {
    const timer = startTimer(() => {
      session.interrupt();
    }, GRACE);
    try {
      return await session.reset();
    } finally {
      timer.cancel();
    }
  }

  /**
   * Asks the server to cancel what a session does.
   *
   * @returns when the server has passed the request on; false when it may still do so at any time
   */
  async cancel(session: Session): Promise<boolean> {
    if (!this.reachable) return true;
    if (this.underWay === MOST_CANCELS) await new Promise<void>(resolve => this.queue.push(resolve));
    else this.underWay++;
    const sure = await send(session);
    const next = this.queue.shift();
    if (next) next();
    else this.underWay--;
    return sure;
  }
}

async function send(session: Session): Promise<boolean> {
  const socket = session.running && !session.ended ? requestCancel(session.client) : undefined;
  if (!socket) return true;
  let sure = true;
  socket.setTimeout(PATIENCE, () => {
    // What was never connected was never sent.
    sure = socket.connecting;
    socket.destroy();
  });
  void session.closed().then(() => socket.destroy());
  await new Promise(resolve => socket.once('close', resolve));
  return sure;
}
