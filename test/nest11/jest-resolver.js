// How Jest finds modules when the tests run on NestJS 11.
import { HERE, isRedirected, refuseElsewhere } from './redirect.js';

export function sync(request, options) {
  if (!isRedirected(request, `${options.basedir}/`)) return options.defaultResolver(request, options);
  return refuseElsewhere(request, options.defaultResolver(request, { ...options, basedir: HERE }));
}
