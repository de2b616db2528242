import { fingerprintOf, viewerKeyOf, type BackendAnswer, type Check } from '#usher/domain';
import type { ClusterNode } from './start-node.js';

export interface AskedAbout {
  readonly known: boolean;
  /** Until the deadline, ms. */
  readonly within: number;
}

/** A node asks its backend `portal` about a new viewer, as it does for a gateway. */
export function askPortal(
  node: ClusterNode,
  sessionId: string,
  { known, within }: AskedAbout,
): Promise<BackendAnswer> {
  const check: Check = {
    id: sessionId,
    dialect: 'astra',
    edge: 'astra-1',
    sessionId,
    sessionGiven: true,
    channel: 'a001',
    ip: '192.0.2.7',
    path: '/a001',
    userAgent: 'VLC',
    host: '',
    origin: '',
    query: `token=${sessionId}`,
  };
  const identity = {
    fingerprint: fingerprintOf(check, check.query, true),
    viewerKey: viewerKeyOf(check, undefined),
  };
  return node.backends.ask({
    check,
    identity,
    target: 'portal',
    known,
    deadline: node.clock.now() + within,
  });
}
