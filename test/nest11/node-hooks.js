// How node finds modules in a process that a test starts when the tests run on NestJS 11.
import * as nodeModule from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { HERE, isRedirected, refuseElsewhere } from './redirect.js';

const parentURL = pathToFileURL(`${HERE}package.json`).href;

export function resolve(request, context, next) {
  const importer = context.parentURL?.startsWith('file:') ? fileURLToPath(context.parentURL) : '';
  if (!isRedirected(request, importer)) return next(request, context);
  const check = found => {
    refuseElsewhere(request, fileURLToPath(found.url));
    return found;
  };
  const found = next(request, { ...context, parentURL });
  return found instanceof Promise ? found.then(check) : check(found);
}

// The newer way runs in the thread that imports; Node 20 has only the older, which loads this file once more.
if (nodeModule.registerHooks) nodeModule.registerHooks({ resolve });
else if (!import.meta.url.endsWith('?hooks')) nodeModule.register(`${import.meta.url}?hooks`);
