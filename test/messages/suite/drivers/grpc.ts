import {
  loadPackageDefinition,
  credentials,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Controller, Injectable, Scope } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  GrpcMethod,
  GrpcStreamCall,
  GrpcStreamMethod,
  Payload,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import type { EventEmitter } from 'node:events';
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { concatMap, isObservable, map, toArray, type Observable } from 'rxjs';
import { Borrow, BorrowSignal } from '../../../../src/index.js';
import { Facade } from '../../../support/borrowing/services.js';
import type { Thing } from '../../../support/borrowing/thing.js';
import { LogBook } from '../../../support/nest-app.js';
import { Stage } from '../../../support/stage.js';
import { shared } from '../application.js';
import { Reply, type Client, type Driver, type Running } from '../driver.js';
import { orderOf, type Order } from '../order.js';
import { Caught, SuitePipe, Surrounded, Work } from '../work.js';

const PROTO = fileURLToPath(new URL('./suite.proto', import.meta.url));

export interface Json {
  readonly json: string;
}
const json = (value: unknown): Json => ({ json: JSON.stringify(value ?? null) });
const said = async (answer: Promise<unknown>): Promise<Json | Observable<Json>> => {
  const value = await answer;
  return isObservable(value) ? value.pipe(map(json)) : json(value);
};

/** What grpc-js gives to the handler of a stream. */
interface ServerCall extends EventEmitter {
  write(message: Json): boolean;
  end(): void;
}

@Controller()
class Calls {
  constructor(
    readonly work: Work,
    readonly facade: Facade,
    readonly stage: Stage,
  ) {}

  @GrpcMethod('Suite', 'bare')
  bare(@Payload() order: Json, @Borrow('things') thing: Thing, @BorrowSignal() signal: AbortSignal) {
    return said(this.work.handle(orderOf(order)!, { thing, signal }));
  }

  @GrpcMethod('Suite', 'deep')
  deep(@Payload() order: Json) {
    return said(this.work.handle(orderOf(order)!));
  }

  @Surrounded()
  @GrpcMethod('Suite', 'surrounded')
  surrounded(
    @Payload(SuitePipe) order: Order,
    @Borrow('things') thing: Thing,
    @BorrowSignal() signal: AbortSignal,
  ) {
    return said(this.work.handle(order, { thing, signal }));
  }

  @Caught()
  @GrpcMethod('Suite', 'caught')
  caught(@Payload(SuitePipe) order: Order, @Borrow('things') thing: Thing) {
    return said(this.work.handle(order, { thing }));
  }

  @GrpcMethod('Suite', 'bareStream')
  bareStream(@Payload() order: Json, @Borrow('things') thing: Thing, @BorrowSignal() signal: AbortSignal) {
    return said(this.work.handle(orderOf(order)!, { thing, signal }));
  }

  @GrpcMethod('Suite', 'deepStream')
  deepStream(@Payload() order: Json) {
    return said(this.work.handle(orderOf(order)!));
  }

  @Surrounded()
  @GrpcMethod('Suite', 'surroundedStream')
  surroundedStream(
    @Payload(SuitePipe) order: Order,
    @Borrow('things') thing: Thing,
    @BorrowSignal() signal: AbortSignal,
  ) {
    return said(this.work.handle(order, { thing, signal }));
  }

  @GrpcMethod('Suite', 'transactedStream')
  transactedStream(@Payload() order: Json, @Borrow('ledger', { transaction: true }) _ledger: object) {
    return said(this.work.handle(orderOf(order)!));
  }

  @GrpcMethod('Suite', 'transacted')
  transacted(@Payload() order: Json, @Borrow('ledger', { transaction: true }) _ledger: object) {
    return said(this.work.handle(orderOf(order)!));
  }

  @GrpcMethod('Suite', 'keyed')
  keyed(@Payload() order: Json) {
    return said(this.work.keyed(orderOf(order)!));
  }

  /** Its operators borrow when the messages come. */
  @GrpcStreamMethod('Suite', 'collected')
  collected(messages: Observable<Json>): Observable<Json> {
    return this.used(messages).pipe(toArray(), map(json));
  }

  @GrpcStreamMethod('Suite', 'echoed')
  echoed(messages: Observable<Json>): Observable<Json> {
    return this.used(messages).pipe(map(json));
  }

  private used(messages: Observable<Json>): Observable<unknown> {
    return messages.pipe(
      concatMap(async message => {
        const order = orderOf(message)!;
        const used = this.work.use(order, 'message', await this.facade.get());
        await this.work.at('handler', order);
        return used;
      }),
    );
  }

  /** Answers when it likes, long after it has returned. */
  @GrpcStreamCall('Suite', 'duplex')
  async duplex(call: ServerCall): Promise<void> {
    const thing = await this.facade.get();
    call.on('data', (message: Json) => {
      const order = orderOf(message)!;
      void this.work.at('handler', order).then(() => {
        call.write(json(this.work.use(order, 'message', thing)));
        if (order.refused) call.end();
      });
    });
    call.on('cancelled', () => this.stage.note('cancelled'));
  }

  @GrpcStreamCall('Suite', 'booked')
  booked(
    @Payload() call: ServerCall,
    @Borrow('ledger', { transaction: true }) _ledger: object,
  ): Promise<void> {
    return this.duplex(call);
  }

  @GrpcStreamCall('Suite', 'calledBack')
  async calledBack(call: ServerCall, callback: (error: unknown, answer: Json) => void): Promise<void> {
    const thing = await this.facade.get();
    call.on('data', (message: Json) => {
      const order = orderOf(message)!;
      void this.work.at('handler', order).then(() => {
        callback(null, json(this.work.use(order, 'message', thing)));
      });
    });
  }
}

@Injectable()
class Base {
  constructor(readonly work: Work) {}

  @GrpcMethod('Suite', 'inherited')
  handler(@Payload() order: Json, @Borrow('things') thing: Thing) {
    return said(this.work.handle(orderOf(order)!, { thing }));
  }

  @GrpcMethod('Suite', 'renamed')
  renamed(@Payload() order: Json, @Borrow('things') thing: Thing) {
    return said(this.work.handle(orderOf(order)!, { thing }));
  }
}
// As a minifier does.
Object.defineProperty(Base.prototype.renamed, 'name', { value: 'e' });

@Controller()
class Inherited extends Base {}

@Controller({ scope: Scope.REQUEST })
class Scoped {
  constructor(readonly work: Work) {}

  @Surrounded()
  @GrpcMethod('Suite', 'scoped')
  scoped(@Payload(SuitePipe) order: Order, @Borrow('things') thing: Thing) {
    return said(this.work.handle(order, { thing }));
  }
}

interface ClientCall extends EventEmitter {
  cancel(): void;
  write(message: Json): void;
  end(): void;
}

type Answer = (error: ServiceError | null, answer?: Json) => void;
type Stub = Readonly<Record<string, (...args: unknown[]) => ClientCall>> & { close(): void };

/** A call whose client sends messages one after the other. */
export interface StreamingCall {
  readonly reply: Reply;
  say(order: Order): void;
  end(): void;
}

export interface GrpcClient extends Client {
  stream(method: 'collected' | 'echoed' | 'duplex' | 'booked' | 'calledBack'): StreamingCall;
}

function clientOf(stub: Stub): GrpcClient {
  const calls: ClientCall[] = [];
  const answering =
    (reply: Reply): Answer =>
    (error, answer) => {
      if (error) reply.fail(asTold(error));
      else reply.next(JSON.parse(answer!.json));
      reply.end();
    };
  const follow = (call: ClientCall, reply: Reply): void => {
    calls.push(call);
    call.on('error', (error: ServiceError) => reply.fail(asTold(error)));
    call.on('data', (answer: Json) => reply.next(JSON.parse(answer.json)));
    call.on('end', () => reply.end());
  };
  return {
    send: (handler, order) => {
      const reply = new Reply();
      if (order.returns) follow(stub[`${handler}Stream`]!(json(order)), reply);
      else calls.push(stub[handler]!(json(order), answering(reply)));
      return reply;
    },
    stream: method => {
      const reply = new Reply();
      const isStream = method !== 'collected' && method !== 'calledBack';
      const call = isStream ? stub[method]!() : stub[method]!(answering(reply));
      if (isStream) follow(call, reply);
      else calls.push(call);
      call.on('error', () => undefined);
      return { reply, say: order => call.write(json(order)), end: () => call.end() };
    },
    tell: async () => undefined,
    leave: () => {
      for (const call of calls) call.cancel();
    },
    close: async () => stub.close(),
  };
}

const asTold = ({ code, details }: ServiceError): object => ({ code, details });

export interface RunningGrpc extends Running {
  connect(): Promise<GrpcClient>;
}

export const GRPC: Driver = {
  name: 'gRPC',
  can: ['streams', 'tells', 'clientStreams', 'leaving', 'scoped'],
  busy: code => ({ code, details: 'The service is busy, try again later' }),
  told: message => ({ code: 2, details: message }),
  async start(world) {
    const log = new LogBook();
    // Below the range of outgoing connections.
    const url = `127.0.0.1:${randomInt(20_000, 32_000)}`;
    const options: MicroserviceOptions = {
      transport: Transport.GRPC,
      options: { url, package: 'suite', protoPath: PROTO, loader: { keepCase: true } },
    };
    const root = { module: class {}, ...shared(world), controllers: [Calls, Inherited, Scoped] };
    const app = await NestFactory.createMicroservice(root, { ...options, logger: log });
    await app.listen();
    const loaded = loadPackageDefinition(loadSync(PROTO, { keepCase: true })) as unknown as {
      suite: { Suite: ServiceClientConstructor };
    };
    const running: RunningGrpc = {
      app,
      log: log.lines,
      connect: async () =>
        clientOf(new loaded.suite.Suite(url, credentials.createInsecure()) as unknown as Stub),
      close: () => app.close(),
    };
    return running;
  },
};
