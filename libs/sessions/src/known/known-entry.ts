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

/**
 * The hash of a viewer that an earlier version wrote, as field, value, …: `user`, `name`, `allowedAt`, and for each
 * grant `g:<fingerprint>` → `<authorized-until>|<allowed at>`. Undefined for nothing and for garbage.
 */
export function readEarlierHash(fields: readonly string[]): KnownViewer | undefined {
  const grants = new Map<string, number>();
  let user = '';
  let sessionName = '';
  let allowedAt = Number.NaN;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const field = fields[i]!;
    const value = fields[i + 1]!;
    if (field === 'user') user = decodeName(value);
    else if (field === 'name') sessionName = decodeName(value);
    else if (field === 'allowedAt') allowedAt = Number(value);
    else if (field.startsWith('g:')) {
      const authorizedUntil = Number(value.split('|')[0]);
      if (Number.isFinite(authorizedUntil)) grants.set(field.slice(2), authorizedUntil);
    }
  }
  return Number.isFinite(allowedAt) ? { user, sessionName, allowedAt, grants } : undefined;
}
