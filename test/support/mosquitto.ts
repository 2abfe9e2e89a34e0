import { startBroker, whyNot, type Broker } from './broker.js';

/** Why Mosquitto does not start here; undefined when it does. */
export const whyNoMosquitto = (): string | undefined => whyNot('mosquitto', ['-h'], 'mosquitto');

/** A broker for MQTT. Without a configuration it listens on this machine only, and lets everybody in. */
export const startMosquitto = (): Promise<Broker> =>
  startBroker('mosquitto', port => ['-p', String(port)], /mosquitto version \S+ running/);
