import type { DialectName } from '#usher/domain';
import { alta } from './alta/alta.js';
import { astra } from './astra/astra.js';
import type { DialectType } from './dialect.js';
import { flussonic } from './flussonic/flussonic.js';
import { forward } from './forward/forward.js';
import { mediamtx } from './mediamtx/mediamtx.js';
import { nginxRtmp } from './nginx-rtmp/nginx-rtmp.js';
import { ome } from './ome/ome.js';
import { srs } from './srs/srs.js';

/** Every dialect by its name. Adding one is its folder, a line here, and its name in the domain. */
export const DIALECTS: Readonly<Record<DialectName, DialectType>> = {
  astra,
  alta,
  flussonic,
  mediamtx,
  forward,
  srs,
  ome,
  'nginx-rtmp': nginxRtmp,
};
