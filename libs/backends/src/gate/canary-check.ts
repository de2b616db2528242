import type { CanaryConfig } from '#usher/config';
import { digest, type Check, type Identity } from '#usher/domain';

/** Named for the answer that is right. */
export type CanaryName = 'allow' | 'deny';

/** Names the asking edge, which backends are not told, and the session, which they are. */
const EDGE = 'usher';

/** The check of a canary, as it goes to the backend. Its query is a secret as any viewer's. */
export function canaryCheck(backend: string, name: CanaryName, config: CanaryConfig): Check {
  const { query, channel, ip, path, host, userAgent } = config;
  return {
    id: `canary-${name}`,
    dialect: 'astra',
    edge: EDGE,
    sessionId: `canary-${name}-${backend}`,
    sessionGiven: true,
    channel: bytes(channel),
    ip,
    path: bytes(path),
    userAgent: bytes(userAgent),
    host: bytes(host),
    origin: '',
    query,
  };
}

/** What a canary asks, without showing it: when it changes the canary begins anew. */
export function canaryRequest({ query, channel, ip, path, host, userAgent }: CanaryConfig): string {
  return digest('canary', query, channel, ip, path, host, userAgent);
}

/** Nobody's: a canary is no viewer, and nothing is remembered of it. */
export const CANARY_IDENTITY: Identity = { fingerprint: '', viewerKey: '' };

/** As they come over the wire: one character for each byte. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
