import { Injectable, createParamDecorator } from '@nestjs/common';
import { Borrow, Borrowed, InjectBorrowed } from '../../../src/index.js';
import { Stage } from '../stage.js';
import type { Thing } from './thing.js';

@Injectable()
export class Repository {
  constructor(@InjectBorrowed('things') readonly things: Borrowed<Thing>) {}
  get(): Promise<Thing> {
    return this.things.get();
  }
}
@Injectable()
export class Service {
  constructor(private readonly repository: Repository) {}
  get(): Promise<Thing> {
    return this.repository.get();
  }
}
@Injectable()
export class Facade {
  constructor(private readonly service: Service) {}
  get(): Promise<Thing> {
    return this.service.get();
  }
}

/** How a handler comes by its thing: with `@Borrow` as a parameter, or by itself, three services below. */
export type Way = 'parameter' | 'deep';
export const WAYS: readonly Way[] = ['parameter', 'deep'];

const Nothing = createParamDecorator(() => undefined);

/** The parameter of a handler for its thing; `undefined` when it has to ask its services. */
export function Given(way: Way): ParameterDecorator {
  return way === 'parameter' ? Borrow('things') : Nothing();
}

/** Every test controller is made twice, one for each way. */
@Injectable()
export abstract class Borrower {
  constructor(
    protected readonly facade: Facade,
    protected readonly stage: Stage,
  ) {}

  protected thing(given: Thing | undefined): Promise<Thing> {
    return given ? Promise.resolve(given) : this.facade.get();
  }
}
