import { startBroker, whyNot, type Broker } from './broker.js';

/** Why NATS does not start here; undefined when it does. */
export const whyNoNats = (): string | undefined => whyNot('nats-server', ['--version'], 'nats-server');

export const startNats = (): Promise<Broker> =>
  startBroker('nats-server', port => ['-a', '127.0.0.1', '-p', String(port)], /Server is ready/);
