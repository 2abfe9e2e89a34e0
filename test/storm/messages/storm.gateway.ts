import { UseGuards, UseInterceptors } from '@nestjs/common';
import {
  Ack,
  SubscribeMessage,
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
} from '@nestjs/websockets';
import type { Client } from 'pg';
import { concat, map, of, type Observable } from 'rxjs';
import type { Socket } from 'socket.io';
import { Borrow } from '../../../src/index.js';
import { GuestBook, TheGuest, type Guest } from '../guest.js';
import { Kit } from '../kit.js';
import { Payments } from '../money/payments.js';
import { Doorkeeper, Transaction } from '../surroundings.js';
import { Clients } from './clients.js';
import { Wrongs } from '../wrongs.js';
import { GuardWithLock, isLocked } from './guard-with-lock.js';

interface Reply {
  readonly event: 'value' | 'end';
  readonly data: number;
}

/** Messages over socket.io. Each method has the name of its kind. */
@UseGuards(Doorkeeper)
@WebSocketGateway()
export class StormGateway implements OnGatewayConnection<Socket>, OnGatewayDisconnect<Socket> {
  constructor(
    private readonly kit: Kit,
    private readonly wrongs: Wrongs,
    private readonly book: GuestBook,
    private readonly payments: Payments,
    private readonly clients: Clients,
  ) {}

  async handleConnection(client: Socket): Promise<void> {
    this.clients.come(client, 'disconnect');
    await this.greet(client, 0);
  }

  handleDisconnect(client: Socket): Promise<void> {
    return this.greet(client, 1);
  }

  @SubscribeMessage('ws-answer')
  async wsAnswer(@TheGuest() guest: Guest): Promise<object> {
    this.kit.work.failBefore(guest);
    return { id: await this.kit.work.do(await this.kit.facade.get(), guest) };
  }

  @SubscribeMessage('ws-given')
  async wsGiven(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client): Promise<object> {
    return { id: await this.kit.work.do(db, guest) };
  }

  @SubscribeMessage('ws-by-hand')
  async wsByHand(@TheGuest() guest: Guest, @Ack() answer: (id: number) => void): Promise<void> {
    const db = await this.kit.facade.get();
    const id = await this.kit.work.do(db, guest);
    // Later, when the handler is done, but not with its connection.
    setImmediate(() => {
      const use = this.kit.custody.use(db, guest);
      db.query('select 1').then(
        () => {
          use[Symbol.dispose]();
          answer(id);
        },
        () => {
          use[Symbol.dispose]();
          answer(-1);
        },
      );
    });
  }

  @SubscribeMessage('ws-guarded')
  @UseGuards(GuardWithLock)
  async wsGuarded(@TheGuest() guest: Guest): Promise<object> {
    if (!isLocked(guest)) this.wrongs.add('what its guard had went back before its handler', guest);
    return { id: await this.kit.work.do(await this.kit.facade.get(), guest) };
  }

  @SubscribeMessage('ws-transaction')
  @UseInterceptors(Transaction)
  async wsTransaction(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client): Promise<object> {
    this.kit.work.failBefore(guest);
    await this.kit.work.enter(db, guest);
    return { id: await this.kit.work.do(db, guest) };
  }

  @SubscribeMessage('ws-observable')
  async wsObservable(@TheGuest() guest: Guest): Promise<Observable<Reply>> {
    const data = guest.visit.id;
    const events = await this.kit.events(guest);
    return concat(
      events.pipe(map((): Reply => ({ event: 'value', data }))),
      of<Reply>({ event: 'end', data }),
    );
  }

  @SubscribeMessage('ws-transfer')
  async wsTransfer(
    @TheGuest() guest: Guest,
    @Borrow('storm-db', { transaction: true }) db: Client,
  ): Promise<object> {
    return this.payments.pay(db, guest);
  }

  /** What is done with a connection when a client comes or goes, for some of them. */
  private async greet(client: Socket, whom: number): Promise<void> {
    const guest = this.book.of(client.request);
    if (guest.visit.id % 4 !== whom) return;
    try {
      const db = await this.kit.facade.get();
      using _use = await this.kit.custody.begin(db, guest);
      await db.query('select 1');
    } catch {
      // There may be none, or its backend was killed.
    }
  }
}
