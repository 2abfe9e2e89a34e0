import { Module, type DynamicModule } from '@nestjs/common';
import { PoolModule } from 'nestjs-pool';
import { browserPool } from 'nestjs-pool/browser';
import type { BrowserContext } from 'playwright-core';
import { launchBrowser } from './browsers.js';
import type { Reach } from './reach.js';
import { REACH } from './render-request.js';
import { RenderController } from './render.controller.js';
import { WelcomeController } from './welcome.controller.js';

// From here on the compiler knows what is borrowed from it.
declare module 'nestjs-pool' {
  interface Pools {
    pages: BrowserContext;
  }
}

@Module({})
export class AppModule {
  static with(reach: Reach): DynamicModule {
    return {
      module: AppModule,
      imports: [
        PoolModule.forRoot({
          pools: [
            {
              name: 'pages',
              useFactory: () =>
                browserPool({
                  launch: () => launchBrowser(reach),
                  max: 4,
                  contextsPerBrowser: 2,
                  // One is ready, so that nobody waits for a browser to start.
                  min: 1,
                  maxUses: 200,
                  maxMemoryMb: 1_024,
                  maxWaiting: 20,
                }),
            },
          ],
        }),
      ],
      controllers: [RenderController, WelcomeController],
      providers: [{ provide: REACH, useValue: reach }],
    };
  }
}
