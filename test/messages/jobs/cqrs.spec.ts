import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  CommandBus,
  CommandHandler,
  CqrsModule,
  EventBus,
  EventsHandler,
  QueryBus,
  QueryHandler,
  type ICommandHandler,
  type IEventHandler,
  type IQueryHandler,
} from '@nestjs/cqrs';
import { BorrowScopes, UseBorrowScope } from '../../../src/index.js';
import { Thing } from '../../support/borrowing/thing.js';
import { failureOf } from '../../support/follow.js';
import { JobBench, Labour } from '../../support/jobs.js';

class Ship {
  constructor(readonly name: string) {}
}
class Find {
  constructor(readonly name: string) {}
}
class Shipped {
  constructor(readonly name: string) {}
}

@CommandHandler(Ship)
class ShipHandler implements ICommandHandler<Ship, number> {
  constructor(
    private readonly labour: Labour,
    private readonly events: EventBus,
  ) {}

  @UseBorrowScope()
  async execute({ name }: Ship): Promise<number> {
    const id = await this.labour.do(name);
    this.events.publish(new Shipped(`${name} has shipped`));
    return id;
  }
}

@QueryHandler(Find)
class FindHandler implements IQueryHandler<Find, number> {
  constructor(private readonly labour: Labour) {}

  @UseBorrowScope()
  execute({ name }: Find): Promise<number> {
    return this.labour.do(name);
  }
}

@EventsHandler(Shipped)
class ShippedHandler implements IEventHandler<Shipped> {
  constructor(private readonly labour: Labour) {}

  @UseBorrowScope({ own: true })
  async handle({ name }: Shipped): Promise<void> {
    await this.labour.do(name);
  }
}

@Injectable()
class Whole {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @UseBorrowScope()
  async both(): Promise<[number, number]> {
    return [
      await this.commands.execute<Ship, number>(new Ship('ship')),
      await this.queries.execute<Find, number>(new Find('find')),
    ];
  }
}

describe('a handler of @nestjs/cqrs', () => {
  let bench: JobBench;
  let commands: CommandBus;
  beforeEach(async () => {
    const providers = [ShipHandler, FindHandler, ShippedHandler, Whole];
    bench = await JobBench.start({ imports: [CqrsModule.forRoot()], providers });
    commands = bench.app.get(CommandBus);
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it('has a scope, and shares nothing with another at the same time', async () => {
    const ships = ['one', 'two'].map(name => commands.execute<Ship, number>(new Ship(name)));
    await Promise.all([bench.stage.reached('one'), bench.stage.reached('two')]);
    expect(bench.leased()).toBe(2);
    bench.stage.openAll();
    expect(new Set(await Promise.all(ships)).size).toBe(2);
    await bench.allBack();
  });

  it('gives back when it fails', async () => {
    bench.stage.open('fails');
    await failureOf(commands.execute(new Ship('fails')));
    expect(bench.leased()).toBe(0);
    expect(Thing.reported).toMatchObject([{ message: 'fails' }]);
  });

  it('of commands and queries joins whoever executes them', async () => {
    bench.stage.openAll();
    const [shipped, found] = await bench.app.get(Whole).both();
    expect(found).toBe(shipped);
    await bench.allBack();
  });

  it('of events runs on by itself when the command is over', async () => {
    bench.stage.open('ship');
    await bench.app.get(BorrowScopes).run(() => commands.execute(new Ship('ship')));
    await bench.stage.reached('ship has shipped');
    expect(bench.labour.had.get('ship has shipped')).not.toBe(bench.labour.had.get('ship'));
    expect(bench.leased()).toBe(1);
    bench.stage.open('ship has shipped');
    await bench.allBack();
  });
});
