import { describe, expect, it } from '@jest/globals';
import { bodyControllers, streamed } from '../support/borrowing/bodies.js';
import { borrowingRig, nextTurn } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { CHUNK, CHUNKS } from '../support/borrowing/sources.js';
import { Thing } from '../support/borrowing/thing.js';
import { NEST_MAJOR } from '../support/nest-major.js';
import { PLATFORMS } from '../support/nest-app.js';

describe.each(PLATFORMS)('a streamed body on %s', platform => {
  const rig = borrowingRig(platform, { controllers: bodyControllers });

  /** The source is closing, and the resource is there; it has closed, and the resource is back. */
  const heldUntilClosed = async (): Promise<void> => {
    await rig.stage.reached('source');
    await nextTurn();
    expect(rig.leased()).toBe(1);
    rig.stage.open('source');
    await rig.stage.reached('closed');
    await nextTurn();
    expect(rig.leased()).toBe(0);
  };

  describe.each(WAYS)('borrowed at %s', way => {
    describe.each(streamed(platform))('from a %s', kind => {
      it('has its resource until its source has closed', async () => {
        const answer = rig.call(way, kind).answer();
        await heldUntilClosed();
        expect((await answer).body).toHaveLength(CHUNKS * CHUNK);
        expect(Thing.reported).toEqual([undefined]);
      });

      it('has its resource until its source has closed when the client leaves half-way', async () => {
        const call = rig.call(way, kind);
        await call.firstBytes();
        call.leave();
        await rig.clientsGone();
        await heldUntilClosed();
      });

      it('has its resource while a slow reader has not read all of it', async () => {
        const call = rig.call(way, kind);
        await call.firstBytes();
        await nextTurn();
        expect(rig.leased()).toBe(1);
        rig.stage.open('source');
        call.leave();
        await rig.stage.reached('closed');
        await nextTurn();
        expect(rig.leased()).toBe(0);
      });

      it('gives its resource back to a HEAD request, which reads nothing of it', async () => {
        rig.stage.open('source');
        const { status } = await rig.call(way, kind, { method: 'HEAD' }).answer();
        await rig.allBack();
        // The Fastify of NestJS 11 cannot answer this one.
        if (NEST_MAJOR >= 12 || kind !== 'web-response') expect(status).toBe(200);
      });

      it('has its resource until its source has closed that fails before the first byte', async () => {
        const answer = rig.call(way, kind, { headers: { 'x-fails-at': '0' } }).answer();
        await heldUntilClosed();
        expect((await answer).status).toBeGreaterThanOrEqual(400);
        expect(Thing.reported).toEqual([expect.objectContaining({ message: 'broken source' })]);
      });

      it('has its resource until its source has closed that fails half-way, after the head', async () => {
        const answer = rig.call(way, kind, { headers: { 'x-fails-at': '3' } }).answer();
        const lost = expect(answer).rejects.toThrow();
        await heldUntilClosed();
        await lost;
        expect(Thing.reported).toEqual([expect.objectContaining({ message: 'broken source' })]);
      });
    });

    it.each(streamed(platform, ['file', 'readable', 'observed-file']))(
      'has its resource until the source of a %s has closed that a HEAD request closes unread',
      async kind => {
        const answer = rig.call(way, kind, { method: 'HEAD' }).answer();
        await heldUntilClosed();
        expect((await answer).status).toBe(200);
      },
    );

    // NestJS 11 streams no generator.
    for (const kind of streamed(platform, ['generator'])) {
      it('gives its resource back when its source has closed, and not when a slow reader has read the rest', async () => {
        const exchange = rig.nextExchange();
        const call = rig.call(way, `huge-${kind}`);
        await call.firstBytes();
        await heldUntilClosed();
        expect((await exchange).response.writableEnded).toBe(false);
        await call.rest();
      });
    }

    it('gives its resource back when its generator was never started', async () => {
      const call = rig.call(way, 'late-generator');
      await rig.stage.reached('handler');
      call.leave();
      await rig.clientsGone();
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      await rig.allBack();
    });
  });
});
