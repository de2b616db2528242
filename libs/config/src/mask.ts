import { configSchema, type Config } from './schema.js';
import { secrecyAt, type SettingPath } from './shape.js';

const MASK = '***';

/** The configuration as it may be shown: without secrets, and without what addresses hide. */
export function maskConfig(config: Config): unknown {
  return mask(config, []);
}

function mask(value: unknown, path: SettingPath): unknown {
  const secret = path.length > 0 && value !== '' ? secrecyAt(configSchema, path) : undefined;
  if (secret === 'all') return Array.isArray(value) ? value.map(() => MASK) : MASK;
  if (secret === 'address') return String(value).split(',').map(maskAddress).join(',');
  if (Array.isArray(value)) return value.map((item, at) => mask(item, [...path, at]));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, mask(inner, [...path, key])]));
}

/** User, password and the values of the query may be secrets. */
function maskAddress(written: string): string {
  const url = new URL(written.trim());
  if (url.username !== '') url.username = MASK;
  if (url.password !== '') url.password = MASK;
  for (const key of new Set(url.searchParams.keys())) url.searchParams.set(key, MASK);
  return url.href;
}
