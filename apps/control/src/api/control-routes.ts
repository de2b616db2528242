import type { INestApplicationContext } from '@nestjs/common';
import type { ClusterClock, RedisClient } from '#usher/redis';
import { GivenUpCuts, OutageReports } from '#usher/sessions';
import { CUTTING, type Cutting } from '../cutting/cutting.js';
import { ControlEvents } from '../events/control-events.js';
import { Kicks } from '../kicks/kicks.js';
import { outageReports } from '../outages/outages.js';
import { Webhooks } from '../webhooks/webhooks.js';
import type { ApiExtension } from './api.js';
import { CutsController } from './cuts/cuts.controller.js';
import { CLOCK, REDIS } from './endpoint/tokens.js';
import { KicksController } from './kicks/kicks.controller.js';
import { OutagesController } from './outages/outages.controller.js';
import { WebhooksController } from './webhooks/webhooks.controller.js';

/** The routes over what control does besides the API. */
export function controlRoutes(control: Pick<INestApplicationContext, 'get'>): ApiExtension {
  return {
    controllers: [KicksController, CutsController, OutagesController, WebhooksController],
    providers: [
      { provide: Kicks, useValue: control.get(Kicks) },
      { provide: Webhooks, useValue: control.get(ControlEvents).webhooks },
      { provide: GivenUpCuts, useValue: control.get<Cutting>(CUTTING).givenUp },
      {
        provide: OutageReports,
        useFactory: (redis: RedisClient, clock: ClusterClock) => outageReports({ redis, clock }),
        inject: [REDIS, CLOCK],
      },
    ],
  };
}
