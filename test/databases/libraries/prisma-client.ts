import { Buffer } from 'node:buffer';
import type { PrismaPg } from '@prisma/adapter-pg';
import * as runtime from '@prisma/client/runtime/client';

interface User {
  id: number;
  name: string;
}

/** What the tests use of a client. */
export interface PrismaQueries {
  readonly user: {
    create(of: { data: { name: string } }): Promise<User>;
    findMany(of: { orderBy: { name: 'asc' } }): Promise<User[]>;
    findUnique(of: { where: { name: string } }): Promise<User | null>;
  };
  $queryRawUnsafe<T>(sql: string): Promise<T>;
}

export interface PrismaClient extends PrismaQueries {
  $transaction(work: (tx: PrismaQueries) => Promise<void>): Promise<void>;
  $disconnect(): Promise<void>;
}

const field = (name: string, type: string): object => ({ name, kind: 'scalar', type });

/**
 * What `prisma generate` of Prisma 7 makes of the schema below, without the types. The generator itself, and all that
 * comes with it, is three times as large as the client, and asks a server of Prisma for an engine that is not used.
 */
const PrismaClientOf = runtime.getPrismaClient({
  previewFeatures: [],
  clientVersion: '7.10.1',
  engineVersion: '',
  activeProvider: 'postgresql',
  inlineSchema: `
    generator client {
      provider = "prisma-client"
      output   = "."
    }
    datasource db {
      provider = "postgresql"
    }
    model User {
      id   Int    @id @default(autoincrement())
      name String @unique
      @@map("users")
    }`,
  runtimeDataModel: {
    models: {
      User: { fields: [field('id', 'Int'), field('name', 'String')], dbName: 'users', schema: null },
    },
    enums: {},
    types: {},
  },
  parameterizationSchema: {
    strings: [
      'where',
      'User.findUnique',
      'User.findUniqueOrThrow',
      'orderBy',
      'cursor',
      'User.findFirst',
      'User.findFirstOrThrow',
      'User.findMany',
      'data',
      'User.createOne',
      'User.createMany',
      'User.createManyAndReturn',
      'User.updateOne',
      'User.updateMany',
      'User.updateManyAndReturn',
      'create',
      'update',
      'User.upsertOne',
      'User.deleteOne',
      'User.deleteMany',
      'having',
      '_count',
      '_avg',
      '_sum',
      '_min',
      '_max',
      'User.groupBy',
      'User.aggregate',
      'AND',
      'OR',
      'NOT',
      'id',
      'name',
      'equals',
      'in',
      'notIn',
      'lt',
      'lte',
      'gt',
      'gte',
      'contains',
      'startsWith',
      'endsWith',
      'not',
      'set',
      'increment',
      'decrement',
      'multiply',
      'divide',
    ],
    graph:
      'KwsQBRwAACIAMB0AAAQAEB4AACIAMB8CAAAAASABAAAAAQEAAAABACABAAAAAQAgBRwAACIAMB0AAAQAEB4AACIAMB8CACMAISABACQAIQADAAAABAAgAwAABQAwBAAAAQAgAwAAAAQAIAMAAAUAMAQAAAEAIAMAAAAEACADAAAFADAEAAABACACHwIAAAABIAEAAAABAQgAAAkAIAIfAgAAAAEgAQAAAAEBCAAACwAwAQgAAAsAMAIfAgArACEgAQAqACECAAAAAQAgCAAADgAgAh8CACsAISABACoAIQIAAAAEACAIAAAQACACAAAABAAgCAAAEAAgAwAAAAEAIA8AAAkAIBAAAA4AIAEAAAABACABAAAABAAgBRUAACUAIBYAACYAIBcAACkAIBgAACgAIBkAACcAIAUcAAAaADAdAAAXABAeAAAaADAfAgAbACEgAQAcACEDAAAABAAgAwAAFgAwFAAAFwAgAwAAAAQAIAMAAAUAMAQAAAEAIAUcAAAaADAdAAAXABAeAAAaADAfAgAbACEgAQAcACENFQAAHgAgFgAAIQAgFwAAHgAgGAAAHgAgGQAAHgAgIQIAAAABIgIAAAAEIwIAAAAEJAIAAAABJQIAAAABJgIAAAABJwIAAAABKwIAIAAhDhUAAB4AIBgAAB8AIBkAAB8AICEBAAAAASIBAAAABCMBAAAABCQBAAAAASUBAAAAASYBAAAAAScBAAAAASgBAAAAASkBAAAAASoBAAAAASsBAB0AIQ4VAAAeACAYAAAfACAZAAAfACAhAQAAAAEiAQAAAAQjAQAAAAQkAQAAAAElAQAAAAEmAQAAAAEnAQAAAAEoAQAAAAEpAQAAAAEqAQAAAAErAQAdACEIIQIAAAABIgIAAAAEIwIAAAAEJAIAAAABJQIAAAABJgIAAAABJwIAAAABKwIAHgAhCyEBAAAAASIBAAAABCMBAAAABCQBAAAAASUBAAAAASYBAAAAAScBAAAAASgBAAAAASkBAAAAASoBAAAAASsBAB8AIQ0VAAAeACAWAAAhACAXAAAeACAYAAAeACAZAAAeACAhAgAAAAEiAgAAAAQjAgAAAAQkAgAAAAElAgAAAAEmAgAAAAEnAgAAAAErAgAgACEIIQgAAAABIggAAAAEIwgAAAAEJAgAAAABJQgAAAABJggAAAABJwgAAAABKwgAIQAhBRwAACIAMB0AAAQAEB4AACIAMB8CACMAISABACQAIQghAgAAAAEiAgAAAAQjAgAAAAQkAgAAAAElAgAAAAEmAgAAAAEnAgAAAAErAgAeACELIQEAAAABIgEAAAAEIwEAAAAEJAEAAAABJQEAAAABJgEAAAABJwEAAAABKAEAAAABKQEAAAABKgEAAAABKwEAHwAhAAAAAAABLAEAAAABBSwCAAAAAS0CAAAAAS4CAAAAAS8CAAAAATACAAAAAQAAAAAFFQAGFgAHFwAIGAAJGQAKAAAAAAAFFQAGFgAHFwAIGAAJGQAKAQIBAgMBBQYBBgcBBwgBCQoBCgwCCw0DDA8BDRECDhIEERMBEhQBExUCGhgFGxkL',
  },
  compilerWasm: {
    getRuntime: () => import('@prisma/client/runtime/query_compiler_fast_bg.postgresql.mjs'),
    getQueryCompilerWasmModule: async () => {
      const { wasm } =
        await import('@prisma/client/runtime/query_compiler_fast_bg.postgresql.wasm-base64.mjs');
      return new WebAssembly.Module(Buffer.from(wasm, 'base64'));
    },
    importName: './query_compiler_fast_bg.js',
  },
} as unknown as runtime.GetPrismaClientConfig) as unknown as new (options: {
  adapter: PrismaPg;
}) => PrismaClient;

export const makePrismaClient = (adapter: PrismaPg): PrismaClient => new PrismaClientOf({ adapter });
