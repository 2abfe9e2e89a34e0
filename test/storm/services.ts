import { Injectable } from '@nestjs/common';
import type { Client } from 'pg';
import { Borrowed, InjectBorrowed, type BorrowOptions } from '../../src/index.js';

@Injectable()
class Repository {
  constructor(@InjectBorrowed('storm-db') private readonly db: Borrowed<Client>) {}
  get(options?: BorrowOptions): Promise<Client> {
    return this.db.get(options);
  }
}

@Injectable()
class Service {
  constructor(private readonly repository: Repository) {}
  get(options?: BorrowOptions): Promise<Client> {
    return this.repository.get(options);
  }
}

/** The connection of the request, three services below whoever asks. */
@Injectable()
export class Facade {
  constructor(private readonly service: Service) {}
  get(options?: BorrowOptions): Promise<Client> {
    return this.service.get(options);
  }
}

export const SERVICES = [Repository, Service, Facade];
