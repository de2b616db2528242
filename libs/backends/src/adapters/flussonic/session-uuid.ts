import { createHash } from 'node:crypto';
import type { Check } from '#usher/domain';

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
/** Of these names only; drawn once. */
const NAMESPACE = Buffer.from('b1d9e6a05d3c4c2e9f47c86f2a7d1e35', 'hex');

/**
 * Flussonic's session ids are UUIDs, and whoever speaks its language may insist on one: an id that is none becomes
 * one of version 5 (RFC 9562) of edge and id, the same for the whole session, and for no other.
 */
export function sessionUuid({ edge, sessionId }: Pick<Check, 'edge' | 'sessionId'>): string {
  if (UUID.test(sessionId)) return sessionId;
  const name = Buffer.from(`${edge.length}:${edge}${sessionId}`, 'latin1');
  const bytes = createHash('sha1').update(NAMESPACE).update(name).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
