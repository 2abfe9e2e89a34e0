import { describe, expect, test } from '@jest/globals';
import { commonOf, routeOf, shapeOf } from '../../../src/dashboard/route.js';

describe('the route of', () => {
  test.each([
    ['GET /orders/188', 'GET /orders/:id'],
    ['GET /orders/188/lines/3', 'GET /orders/:id/lines/:id'],
    ['DELETE /users/9f1c2d3e-4b5a-6789-abcd-ef0123456789', 'DELETE /users/:id'],
    ['GET /docs/64f0c2a9e13b5d7788aa01ff', 'GET /docs/:id'],
    ['GET /docs/01ARZ3NDEKTSV4RRFFQ69G5FAV', 'GET /docs/:id'],
    ['GET /files/V1StGXR8_Z5jdHi6B-myT', 'GET /files/:id'],
    ['GET /reports/2026-11-29', 'GET /reports/:id'],
    ['GET /orders/188.json', 'GET /orders/:id'],
    ['GET /orders/order-188', 'GET /orders/:id'],
    ['GET /people/ada%40example.com', 'GET /people/:id'],
    ['job 4711', 'job :id'],
  ])('%s is %s', (who, route) => expect(routeOf(who)).toBe(route));

  test.each([
    'GET /',
    'GET /api/v2/orders',
    'GET /oauth2/token',
    'GET /a-name-that-is-long/and-has-no-number-in-it',
    'GET /feedbeef',
    'query Orders',
    'Shop.export (shop.ts:12:3)',
  ])('%s is itself', who => expect(routeOf(who)).toBe(who));
});

test('routes that acquire at one place have a shape in common where only a part below differs', () => {
  expect(shapeOf('GET /teas/assam')).toBe(shapeOf('GET /teas/earl-grey'));
  expect(shapeOf('GET /teas/assam')).not.toBe(shapeOf('PUT /teas/assam'));
  expect(shapeOf('GET /teas')).not.toBe(shapeOf('GET /coffees'));
  expect(shapeOf('GET /teas/assam')).not.toBe(shapeOf('GET /coffees/lungo'));
  expect(commonOf(['GET /teas/assam/price', 'GET /teas/earl-grey/price'])).toBe('GET /teas/:id/price');
  expect(commonOf(['Ada', 'Grace'])).toBeUndefined();
});
