import { Inject } from '@nestjs/common';

/** The injection token of a session; what `@InjectHttp(name)` injects. For `overrideProvider` in tests. */
export function getHttpToken(name: string): string {
  return `nestjs-pool-http:${name}`;
}

/** Injects a session: `constructor(@InjectHttp('github') private readonly github: HttpSession) {}`. */
export function InjectHttp(name: string): ParameterDecorator & PropertyDecorator {
  return Inject(getHttpToken(name));
}
