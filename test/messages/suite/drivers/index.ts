import type { Driver } from '../driver.js';
import { GATEWAYS } from './gateways.js';
import { GRAPHQL } from './graphql.js';
import { GRPC } from './grpc.js';
import { HTTP } from './http.js';
import { PROXIES } from './proxies.js';

export const DRIVERS: readonly Driver[] = [...HTTP, GRAPHQL, ...GATEWAYS, ...PROXIES, GRPC];
