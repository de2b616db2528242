import type { INestApplicationContext } from '@nestjs/common';
import { GivenUpCuts } from '#usher/sessions';
import { CUTTING, type Cutting } from '../cutting/cutting.js';
import { Kicks } from '../kicks/kicks.js';
import type { ApiExtension } from './api.js';
import { CutsController } from './cuts/cuts.controller.js';
import { KicksController } from './kicks/kicks.controller.js';

/** The routes over what control does besides the API. */
export function controlRoutes(control: Pick<INestApplicationContext, 'get'>): ApiExtension {
  return {
    controllers: [KicksController, CutsController],
    providers: [
      { provide: Kicks, useValue: control.get(Kicks) },
      { provide: GivenUpCuts, useValue: control.get<Cutting>(CUTTING).givenUp },
    ],
  };
}
