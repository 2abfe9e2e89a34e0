import { PrismaPg } from '@prisma/adapter-pg';
import type pg from 'pg';
import { makePrismaClient, type PrismaQueries } from './prisma-client.js';
import type { Driver, Queries } from './suite.js';

function queries(prisma: PrismaQueries): Queries {
  return {
    insert: name => prisma.user.create({ data: { name } }),
    names: async () => (await prisma.user.findMany({ orderBy: { name: 'asc' } })).map(({ name }) => name),
    pid: async () =>
      (await prisma.$queryRawUnsafe<{ pid: number }[]>('select pg_backend_pid() as pid'))[0]!.pid,
  };
}

export const prismaDriver: Driver = {
  name: 'Prisma',
  savepoints: false,
  streams: false,
  endsPool: false,
  async open(pool: pg.Pool) {
    const prisma = makePrismaClient(new PrismaPg(pool));
    return {
      ...queries(prisma),
      find: async name => (await prisma.user.findUnique({ where: { name } }))?.name,
      transaction: work => prisma.$transaction(tx => work(queries(tx))),
      close: () => prisma.$disconnect(),
    };
  },
};
