import type { Custody } from '../custody.js';
import type { Guest } from '../guest.js';
import type { Middleware } from '../middleware.js';
import type { Facade } from '../services.js';
import type { Teller } from './teller.js';

/** Transfers that are made before there is a handler. */
export class TransferMiddleware {
  constructor(
    private readonly facade: Facade,
    private readonly custody: Custody,
    private readonly teller: Teller,
  ) {}

  /** Asynchronous; every second time there is a handler behind it that answers. */
  readonly awaited: Middleware = async (guest, _request, response, next) => {
    try {
      await this.transfer(guest);
      if (guest.visit.deep) next();
      else response.end('{}');
    } catch (error) {
      next(error);
    }
  };

  /** Nobody can see that it is at work, but for the answer that it owes. */
  readonly unseen: Middleware = (guest, _request, response) => {
    const answer = (status: number): void => {
      response.statusCode = status;
      response.end('{}');
    };
    this.transfer(guest).then(
      () => {
        answer(200);
      },
      () => {
        answer(500);
      },
    );
  };

  private async transfer(guest: Guest): Promise<void> {
    const db = await this.facade.get();
    using _use = await this.custody.begin(db, guest);
    guest.at('holding');
    await this.teller.transfer(db, guest);
  }
}
