import { expect } from '@jest/globals';
import { NEST_MAJOR } from '../../../support/nest-major.js';
import { until } from '../../../support/until.js';
import type { GrpcClient } from '../drivers/grpc.js';
import type { GatewayClient, RunningGateways } from '../drivers/gateways.js';
import type { SuiteRig } from '../rig.js';
import { turns } from '../rig.js';
import type { Case, Theme } from './case.js';

export const transactions: Theme = {
  promise: '`@Borrow(name, { transaction: true })`: committed before the answer, rolled back after an error',
  cases: [
    {
      name: 'a transaction is committed when its handler has succeeded, before the answer is out',
      run: async rig => {
        const client = await rig.client();
        const begun = rig.ledger.length;
        rig.stage.open('commit');
        await client.send('transacted', rig.order()).first();
        expect(rig.ledger.slice(begun)).toEqual(['committed']);
      },
    },
    {
      name: 'the value of an Observable is not sent before the transaction is committed',
      needs: ['streams'],
      run: async rig => {
        const client = await rig.client();
        const reply = client.send('transacted', rig.order({ returns: 'lazy' }));
        await rig.stage.reached('commit');
        // What was sent before would have come before.
        await client.send('deep', rig.order()).first();
        expect(reply.values).toEqual([]);
        rig.stage.open('commit');
        expect(await reply.first()).toHaveProperty('thing');
      },
    },
    {
      name: 'a transaction is rolled back when its handler has failed',
      needs: ['tells'],
      run: async rig => {
        const client = await rig.client();
        const begun = rig.ledger.length;
        expect(await client.send('transacted', rig.order({ throws: 'handler' })).first()).toHaveProperty(
          'error',
        );
        expect(rig.ledger.slice(begun)).toEqual(['rolled back']);
      },
    },
  ],
};

export const acknowledgements: Theme = {
  promise:
    'Answers by hand with `@Ack()`: held until they are given; destroyed after `abandonedTimeout` once the peer has left',
  cases: [
    {
      name: 'an acknowledgement that is given after the handler has returned',
      needs: ['acks'],
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ stops: ['handler'] });
        const reply = client.send('acknowledged', order);
        await rig.stage.reached(`handler ${order.id}`);
        await turns();
        expect(rig.leased).toBe(1);
        rig.stage.open(`handler ${order.id}`);
        expect(await reply.first()).toEqual({ thing: expect.any(Number) });
        expect(rig.leased).toBe(0);
      },
    },
    {
      name: 'an acknowledgement is given in time after the client has left: the thing goes back',
      needs: ['acks', 'leaving'],
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ stops: ['handler'] });
        client.send('acknowledged', order);
        await rig.stage.reached(`handler ${order.id}`);
        client.leave();
        await rig.stage.reached(`left ${order.id}`);
        expect(rig.leased).toBe(1);
        rig.stage.open(`handler ${order.id}`);
        await rig.allBack();
      },
    },
    {
      name: 'an acknowledgement is never given, and the client leaves: the thing is destroyed',
      needs: ['acks', 'leaving'],
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ throws: 'handler' });
        client.send('acknowledged', order);
        await rig.stage.reached(`handler ${order.id}`);
        await turns();
        expect(rig.leased).toBe(1);
        client.leave();
        await rig.allBack();
        rig.expectsDestroyed = ['AbandonedError'];
      },
    },
    {
      name: 'the client has left before anything is borrowed, and an acknowledgement is never given: the thing is destroyed',
      needs: ['acks', 'leaving'],
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ uses: ['guard'], stops: ['before'] });
        client.send('acknowledged', order);
        await rig.stage.reached(`before ${order.id}`);
        // It is told when the server has noticed.
        const other = rig.order({ stops: ['handler'] });
        client.send('bare', other);
        await rig.stage.reached(`handler ${other.id}`);
        client.leave();
        await rig.stage.reached(`left ${other.id}`);
        rig.stage.open(`before ${order.id}`, `handler ${other.id}`);
        await rig.stage.reached(`guard ${order.id}`);
        await rig.allBack();
        rig.expectsDestroyed = ['AbandonedError'];
      },
    },
    ...(['guard', 'pipe', 'filter'] as const).map<Case>(place => ({
      name: `a message that fails at the ${place} is never acknowledged: the thing goes back, though the client stays`,
      needs: ['acks'],
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({
          throws: place === 'filter' ? 'interceptor' : place,
          uses: ['guard', place],
        });
        const reply = client.send('acknowledged', order);
        expect(await reply.first()).toHaveProperty('error');
        await rig.allBack();
      },
    })),
  ],
};

export const streams: Theme = {
  promise:
    'Streams of the client: its messages come in the scope of the call. By hand with `@GrpcStreamCall()`: as with `@Ack()`',
  cases: (
    [
      {
        name: 'operators on the messages of a client’s stream borrow what belongs to the call',
        run: async rig => {
          const call = (await grpc(rig)).stream('collected');
          const orders = [rig.order(), rig.order({ stops: ['handler'] })];
          for (const order of orders) call.say(order);
          call.end();
          await rig.stage.reached(`handler ${orders[1]!.id}`);
          expect(rig.leased).toBe(1);
          rig.stage.open(`handler ${orders[1]!.id}`);
          const [answer] = await call.reply.count(1);
          expect(answer).toEqual([{ thing: expect.any(Number) }, { thing: expect.any(Number) }]);
          expect(new Set((answer as { thing: number }[]).map(({ thing }) => thing)).size).toBe(1);
          await rig.allBack();
        },
      },
      {
        name: 'a stream in both directions has its thing until both have ended',
        run: async rig => {
          const call = (await grpc(rig)).stream('echoed');
          call.say(rig.order());
          expect(await call.reply.count(1)).toHaveLength(1);
          expect(rig.leased).toBe(1);
          call.say(rig.order());
          expect(await call.reply.count(2)).toHaveLength(2);
          call.end();
          await rig.allBack();
        },
      },
      {
        name: 'a stream in both directions is cancelled: its thing goes back',
        run: async rig => {
          const client = await grpc(rig);
          const call = client.stream('echoed');
          call.say(rig.order());
          await call.reply.count(1);
          client.leave();
          await rig.allBack();
        },
      },
      {
        name: 'a call by hand has its thing until it has ended its answer',
        run: async rig => {
          const call = (await grpc(rig)).stream('duplex');
          call.say(rig.order());
          await call.reply.count(1);
          await turns();
          expect(rig.leased).toBe(1);
          call.say(rig.order({ refused: true }));
          await call.reply.count(2);
          await rig.allBack();
          call.end();
        },
      },
      {
        name: 'the transaction of a call by hand is committed when it has ended its answer',
        run: async rig => {
          const begun = rig.ledger.length;
          rig.stage.open('commit');
          const call = (await grpc(rig)).stream('booked');
          call.say(rig.order({ refused: true }));
          await call.reply.finished();
          await until(
            () => rig.ledger.slice(begun),
            ([state]) => state !== 'open',
          );
          expect(rig.ledger.slice(begun)).toEqual(['committed']);
          call.end();
        },
      },
      {
        name: 'a call by hand is cancelled and not ended: its thing is destroyed',
        run: async rig => {
          const client = await grpc(rig);
          const call = client.stream('duplex');
          call.say(rig.order());
          await call.reply.count(1);
          client.leave();
          await rig.allBack();
          rig.expectsDestroyed = ['AbandonedError'];
        },
      },
      {
        name: 'a call by hand that is answered by its callback has its thing until then',
        run: async rig => {
          const call = (await grpc(rig)).stream('calledBack');
          const order = rig.order({ stops: ['handler'] });
          call.say(order);
          await rig.stage.reached(`handler ${order.id}`);
          await turns();
          expect(rig.leased).toBe(1);
          rig.stage.open(`handler ${order.id}`);
          await call.reply.count(1);
          await rig.allBack();
          call.end();
        },
      },
    ] satisfies Case[]
  ).map(one => ({ ...one, needs: ['clientStreams'] as const })),
};

async function grpc(rig: SuiteRig): Promise<GrpcClient> {
  return rig.with((await rig.running.connect()) as GrpcClient);
}

export const hooks: Theme = {
  promise:
    'Gateways: a scope of its own for each message, and for `handleConnection`, `handleDisconnect` and `afterInit`',
  cases: [
    ...(
      [
        {
          name: 'what is done as the server begins has a thing until it has settled',
          run: async rig => {
            expect(rig.heldAtStart).toBe(1);
          },
        },
        {
          name: 'what is done as a client comes, and as it goes, has a thing until it has settled',
          run: async rig => {
            const client = rig.with(await comes(rig, 'ann'));
            await rig.stage.reached('comes in ann');
            expect(rig.leased).toBe(1);
            // Another scope than that of its messages.
            const order = rig.order({ stops: ['handler'] });
            client.send('bare', order);
            await rig.stage.reached(`handler ${order.id}`);
            expect(rig.leased).toBe(2);
            rig.stage.open('comes in ann', `handler ${order.id}`);
            await rig.allBack();
            client.leave();
            await rig.stage.reached('goes ann');
            expect(rig.leased).toBe(1);
            rig.stage.open('goes ann');
            await rig.allBack();
          },
        },
        {
          name: 'a client that leaves while it queues for what its coming takes leaves the queue',
          run: async rig => {
            await rig.takeAll();
            const client = rig.with(await comes(rig, 'bob'));
            await rig.stage.reached('comes bob');
            await rig.waitingAre(1);
            client.leave();
            await rig.stage.reached('RequestAbortedError bob');
            // That of its going.
            await rig.waitingAre(1);
            rig.giveOneBack();
            await rig.stage.reached('goes bob');
            rig.stage.open('goes bob');
          },
        },
        ...(['fail', 'are refused'] as const).map(how => ({
          name: `two messages of one client that are equal, and ${how} at once, have their own thing in the filter each`,
          run: async (rig: SuiteRig) => {
            const client = (await rig.client()) as GatewayClient;
            const order = rig.order({
              ...(how === 'fail' ? { throws: 'guard' } : { refused: true }),
              uses: ['guard', 'filter'],
              stops: ['guard', 'filter'],
            });
            for (let i = 0; i < 2; i++) client.sendText('surrounded', order);
            await rig.used(order, 2);
            rig.stage.open(`guard ${order.id}`);
            await rig.used(order, 4);
            expect(rig.leased).toBe(2);
            rig.stage.open(`filter ${order.id}`);
            await rig.allBack();
            expect(rig.thingsOf(order, 'filter')).toEqual(rig.thingsOf(order, 'guard'));
          },
        })),
      ] satisfies Case[]
    ).map(one => ({ ...one, needs: ['hooks'] as const })),
    {
      name: 'so has what a gateway does that is made for each client',
      needs: ['hooks', 'scoped'],
      run: async rig => {
        const client = rig.with(await comes(rig, 'eve'));
        await rig.stage.reached('comes in eve');
        await rig.stage.reached('comes in eve, scoped');
        expect(rig.leased).toBe(2);
        rig.stage.open('comes in eve', 'comes in eve, scoped');
        await rig.allBack();
        client.leave();
        await rig.stage.reached('goes eve');
      },
    },
  ],
};

function comes(rig: SuiteRig, name: string): ReturnType<RunningGateways['comes']> {
  return (rig.running as RunningGateways).comes(name);
}

/** The last of all: it ends the application. */
export const shutdown: Theme = {
  promise: 'Shutdown: endless answers are ended, handlers at work are waited for, nothing is lost',
  cases: [
    {
      name: 'the application ends in order, with an endless answer and a handler at work',
      run: async rig => {
        const client = await rig.client();
        const order = rig.order({ stops: ['handler'] });
        // Over a broker, NestJS 11 does not handle that what is answered later cannot be sent.
        const isSafe = rig.driver.can.includes('leaving') || NEST_MAJOR >= 12;
        if (isSafe) client.send('surrounded', order);
        else await client.tell(order);
        await rig.stage.reached(`handler ${order.id}`);
        const stream = rig.order({ returns: 'endless' });
        if (isSafe && rig.driver.can.includes('streams')) {
          client.send('surrounded', stream);
          await rig.stage.reached(`subscribed ${stream.id}`);
        }
        const { leased } = rig;
        const closed = rig.close();
        if (isSafe && leased === 2) await rig.stage.reached(`teardown ${stream.id}`);
        rig.stage.open(`handler ${order.id}`, `handler ${order.id} again`);
        await closed;
        expect(rig.leased).toBe(0);
        expect(rig.destroyed.filter(why => why !== 'closed')).toEqual([]);
      },
    },
  ],
};
