import * as portalBehaviours from './portal-behaviours.js';

export { TEST_CERTIFICATE, TEST_KEY } from './certificate.js';
export { later } from './later.js';
export { eventually } from './eventually.js';
export type { EventuallyOptions } from './eventually.js';
export { FakeAstra, startFakeAstra, webhookPayload } from './fake-astra.js';
export type { AstraSession, FakeAstraOptions, Play, Played } from './fake-astra.js';
export { FakeBox } from './fake-box.js';
export type { FakeBoxOptions } from './fake-box.js';
export { FakeEdgeApi, startFakeEdgeApi } from './fake-edge-api.js';
export type { EdgeApiReply, EdgeApiRequest } from './fake-edge-api.js';
export { FakeMediaMtx, startFakeMediaMtx } from './fake-mediamtx.js';
export type { FakeMediaMtxOptions, MediaMtxKind } from './fake-mediamtx.js';
export { FakePortal, startFakePortal } from './fake-portal.js';
export type { FakePortalOptions, PortalRequest } from './fake-portal.js';
export { freePort } from './free-port.js';
export { ManualClock } from './manual-clock.js';
export type { PortalBehaviour } from './portal-behaviours.js';
export { startRedisCluster } from './redis-cluster.js';
export type { RedisClusterProcess } from './redis-cluster.js';
export { startRedis } from './redis-process.js';
export type { RedisProcess, RedisProcessOptions } from './redis-process.js';
export { VirtualTime } from './virtual-time.js';

/** What a portal can be told to do, to put together: `portal.byToken({ good: portalBehaviours.allow() })`. */
export { portalBehaviours };
