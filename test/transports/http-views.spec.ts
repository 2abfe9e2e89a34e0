import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Render, type Type } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import ejs from 'ejs';
import { borrowingRig } from '../support/borrowing/rig.js';
import { Borrower, Given, WAYS } from '../support/borrowing/services.js';
import type { Thing } from '../support/borrowing/thing.js';
import { PLATFORMS } from '../support/nest-app.js';

const VIEWS = new URL('../fixtures/views', import.meta.url).pathname;

const viewControllers = WAYS.map((way): Type => {
  @Controller(way)
  class Views extends Borrower {
    @Get('view')
    @Render('thing.ejs')
    async view(@Given(way) given?: Thing): Promise<object> {
      const thing = await this.thing(given);
      await this.stage.pass('handler');
      // The view itself uses it, when the handler has long settled.
      return { thing: () => thing.use() };
    }

    @Get('broken-view')
    @Render('thing.ejs')
    async brokenView(@Given(way) given?: Thing): Promise<object> {
      (await this.thing(given)).use();
      return {};
    }
  }
  return Views;
});

describe.each(PLATFORMS)('a view on %s', platform => {
  const rig = borrowingRig(platform, {
    controllers: viewControllers,
    prepare: app => {
      if (platform === 'express') {
        (app as NestExpressApplication).setBaseViewsDir(VIEWS).setViewEngine('ejs');
      } else {
        (app as NestFastifyApplication).setViewEngine({ engine: { ejs }, templates: VIEWS });
      }
    },
  });

  describe.each(WAYS)('borrowed at %s', way => {
    it('is rendered with its resource, which is back when the page has been handed over', async () => {
      const handedOver = rig.handedOver();
      const call = rig.call(way, 'view');
      await rig.stage.reached('handler');
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect((await call.answer()).body).toContain('<p>thing 1</p>');
    });

    it('gives its resource back when it cannot be rendered', async () => {
      const handedOver = rig.handedOver();
      expect((await rig.call(way, 'broken-view').answer()).status).toBe(500);
      expect(await handedOver).toEqual({ before: 1, after: 0 });
    });
  });
});
