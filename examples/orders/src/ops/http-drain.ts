import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

const LOOK_EVERY = 20;

/**
 * Ends the connections of a server that is closing as soon as they have nothing more to do. Node ends those that are
 * idle at that moment only; one whose last request was still running would keep the process for its keep-alive time.
 */
@Injectable()
export class HttpDrain implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private inFlight = 0;
  private stopping = false;

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  onApplicationBootstrap(): void {
    this.server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
      this.inFlight++;
      response.once('close', () => this.inFlight--);
      if (this.stopping) response.setHeader('Connection', 'close');
    });
  }

  beforeApplicationShutdown(): void {
    this.stopping = true;
    const { server } = this;
    const looking = setInterval(() => {
      if (server.listening) return;
      if (this.inFlight === 0) server.closeAllConnections();
      else server.closeIdleConnections();
    }, LOOK_EVERY);
    server.once('close', () => {
      clearInterval(looking);
    });
  }

  private get server(): Server {
    return this.adapterHost.httpAdapter.getHttpServer() as Server;
  }
}
