import type { Visit } from '../plan.js';

/** What a request asks, if it is one in GraphQL. */
export function operationOf({ kind, id }: Visit): string | undefined {
  if (kind === 'graphql-fields') return '{ ask given entry { id deep parameter } }';
  if (kind === 'graphql-sibling') return '{ ask broken given entry { id deep } }';
  if (kind !== 'transfer-graphql') return undefined;
  return id % 2 ? '{ pay broken ask }' : 'mutation { payAlone }';
}
