import { Field, Int, Mutation, ObjectType, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { Borrow } from '../../../src/index.js';
import { TheGuest, type Guest } from '../guest.js';
import { Kit } from '../kit.js';
import { Teller } from '../money/teller.js';
import { PlannedError } from '../work.js';

@ObjectType()
class Entry {
  @Field(() => Int)
  id!: number;
}

/** Resolvers that run side by side, one of which may fail: the answer is given then, and the others go on. */
@Resolver(() => Entry)
export class QuestionsResolver {
  constructor(
    private readonly kit: Kit,
    private readonly teller: Teller,
  ) {}

  @Query(() => Int)
  async ask(@TheGuest() guest: Guest): Promise<number> {
    return this.kit.work.do(await this.kit.facade.get(), guest);
  }

  @Query(() => Int)
  given(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client): Promise<number> {
    return this.kit.work.do(db, guest);
  }

  /** Its type is not nullable, so its failure is that of the whole answer. */
  @Query(() => Int)
  async broken(@TheGuest() { visit }: Guest): Promise<number> {
    await sleep(visit.patience / 4);
    throw new PlannedError('beside others');
  }

  @Query(() => Entry)
  async entry(@TheGuest() guest: Guest): Promise<Entry> {
    return { id: await this.ask(guest) };
  }

  @ResolveField(() => Int)
  async deep(@Parent() { id }: Entry, @TheGuest() guest: Guest): Promise<number> {
    return id - (await this.ask(guest));
  }

  @ResolveField(() => Int)
  async parameter(@Parent() { id }: Entry, @TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return id - (await this.given(guest, db));
  }

  @Query(() => Boolean)
  async pay(@TheGuest() guest: Guest): Promise<boolean> {
    const db = await this.kit.facade.get();
    using _use = await this.kit.custody.begin(db, guest);
    guest.at('holding');
    await this.teller.transfer(db, guest);
    return true;
  }

  @Mutation(() => Boolean)
  payAlone(@TheGuest() guest: Guest): Promise<boolean> {
    return this.pay(guest);
  }
}
