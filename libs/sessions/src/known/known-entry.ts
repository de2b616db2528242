import type { KnownViewer } from '#usher/domain';
import { decodeName } from '#usher/redis';

/** Of what this code writes (see remember-known-1.lua). */
const VERSION = '1';

/** An entry as a viewer; undefined for garbage, and for another version's. */
export function readEntry(entry: string): KnownViewer | undefined {
  const [version, allowed = '', user = '', name = '', granted, mixed = '', ...rest] = entry.split('|');
  const allowedAt = Number(allowed);
  if (version !== VERSION || granted === undefined || rest.length > 0) return undefined;
  if (allowed === '' || !Number.isFinite(allowedAt) || !/^\d*$/.test(mixed)) return undefined;
  const grants = new Map<string, number>();
  for (const grant of granted.split(',')) {
    const [fingerprint = '', until = '0'] = grant.split(':');
    if (fingerprint !== '' && Number.isFinite(Number(until))) grants.set(fingerprint, Number(until));
  }
  return {
    user: decodeName(user),
    sessionName: decodeName(name === '' ? user : name),
    allowedAt,
    grants,
    ...(mixed === '' ? {} : { mixedAt: Number(mixed) }),
  };
}
