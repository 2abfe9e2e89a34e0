import {
  Controller,
  Get,
  Injectable,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { TheGuest, guestOf, type Guest } from '../guest.js';
import { Kit } from '../kit.js';
import { Tenancy } from './tenancy.js';

@Injectable()
class Guard implements CanActivate {
  constructor(private readonly tenancy: Tenancy) {}
  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.tenancy.check(guestOf(context), 'guard');
    return true;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  constructor(private readonly tenancy: Tenancy) {}
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    await this.tenancy.check(guestOf(context), 'interceptor');
    return next.handle();
  }
}

/** Handlers behind middleware that goes on from elsewhere. */
@Controller('contexts')
@UseGuards(Guard)
@UseInterceptors(Interceptor)
export class ContextsController {
  constructor(
    private readonly kit: Kit,
    private readonly tenancy: Tenancy,
  ) {}

  @Get(['lost-context', 'foreign-context'])
  async find(@TheGuest() guest: Guest): Promise<object> {
    await this.tenancy.check(guest, 'handler');
    return { id: await this.kit.work.do(await this.kit.facade.get(), guest) };
  }
}
