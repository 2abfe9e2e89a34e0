// The shop in a new version, with a bug: who asks for order 7 keeps a connection for good.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { PoolRegistry } from 'nestjs-pool';
import { AppModule } from '../../dist/examples/orders/app.module.js';
import { Database } from '../../dist/examples/orders/database/database.js';
import { welcome } from '../../dist/examples/orders/welcome.js';

const { DATABASE_URL, PORT } = process.env;
const app = await NestFactory.create(AppModule.with(new Database(DATABASE_URL)));
const pool = app.get(PoolRegistry).get('orders-db');
app.use('/orders/7', async (request, response, next) => {
  // As a handler does that forgets `release()`. That no more can be had is for the shop to answer.
  await pool.acquire().catch(() => undefined);
  next();
});
await app.listen(Number(PORT));
console.log(welcome(`http://localhost:${PORT}`, 'the database of the others'));
