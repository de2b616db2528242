import { alta, astra } from './cesbo.js';
import { flussonic, flussonicPublishing } from './flussonic.js';
import { mediamtx, mediamtxPublishing } from './mediamtx.js';
import { nginxRtmp } from './nginx-rtmp.js';
import { ome } from './ome.js';
import { caddy, envoy, haproxy, nginx, traefik, traefikUnset } from './proxies.js';
import type { Server } from './server.js';
import { srs, srsBefore2021, srsPublishing } from './srs.js';

export const SERVERS: readonly Server[] = [
  astra,
  alta,
  flussonic,
  flussonicPublishing,
  nginx,
  haproxy,
  traefik,
  traefikUnset,
  caddy,
  envoy,
  mediamtx,
  mediamtxPublishing,
  srs,
  srsPublishing,
  srsBefore2021,
  ome,
  nginxRtmp,
];
