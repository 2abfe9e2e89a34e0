import {
  BadRequestException,
  mixin,
  type CanActivate,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';

/**
 * Lets only whole numbers within bounds through. A guard, and not a pipe: pipes run beside `@Borrow()`, and what is wrong
 * should be refused before it queues for a worker.
 */
export function Within(parameter: string, min: number, max: number): Type<CanActivate> {
  class WithinGuard implements CanActivate {
    canActivate(context: ExecutionContext): true {
      const { params } = context.switchToHttp().getRequest<{ params: Record<string, string> }>();
      const text = params[parameter] ?? '';
      const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
      if (value >= min && value <= max) return true;
      throw new BadRequestException(`${parameter} must be a whole number from ${min} to ${max}`);
    }
  }
  return mixin(WithinGuard);
}
