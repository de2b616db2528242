import { accessSync, constants } from 'node:fs';
import type { BackendConfig } from '#usher/config';
import type { Clock } from '#usher/domain';
import type { Adapter } from './adapter.js';
import { flussonic } from './flussonic/flussonic.js';
import { http } from './http/http.js';
import { httpAdapter } from './http-adapter.js';
import { iptvportal } from './iptvportal/iptvportal.js';
import type { Middleware } from './middleware.js';
import { ministra } from './ministra/ministra.js';
import { smarty } from './smarty/smarty.js';
import { xtream } from './xtream/xtream.js';

const MIDDLEWARES: Readonly<Record<BackendConfig['type'], Middleware>> = {
  ministra,
  iptvportal,
  smarty,
  http,
  flussonic,
  xtream,
};

/** The adapter for one backend of the configuration. Throws an Error that names the setting that makes no sense. */
export function createAdapter(
  name: string,
  config: BackendConfig,
  { clock }: { readonly clock: Clock },
): Adapter {
  const middleware = MIDDLEWARES[config.type];
  checkSettings(name, config, middleware);
  return httpAdapter(name, config, middleware, clock);
}

const FIELD_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

function checkSettings(name: string, config: BackendConfig, middleware: Middleware): void {
  const refuse = (setting: string, why: string): never => {
    throw new Error(`backends.${name}.${setting}: ${why}`);
  };
  const { allowWhen, ca, requireHeader } = config;
  if (ca !== undefined && !isReadable(ca)) refuse('ca', `the file ${ca} cannot be read`);
  if (allowWhen !== undefined) {
    if (!middleware.settings.includes('allowWhen'))
      refuse('allowWhen', 'is for http, iptvportal and flussonic only');
    if (allowWhen.header === undefined && !allowWhen.body)
      refuse('allowWhen', 'needs a header, a body, or both');
    if (allowWhen.header !== undefined && !FIELD_NAME.test(allowWhen.header)) {
      refuse('allowWhen.header', 'is no name of a header');
    }
  }
  if (config.params.length > 0 && !middleware.settings.includes('params')) {
    refuse('params', 'is for flussonic only');
  }
  if (config.activeConnections === 'refuse' && !middleware.settings.includes('activeConnections')) {
    refuse('activeConnections', 'is for xtream only');
  }
  if (config.type === 'ministra' && requireHeader !== '' && !FIELD_NAME.test(requireHeader)) {
    refuse('requireHeader', 'is no name of a header');
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
