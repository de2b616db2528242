import { configSchema, type BackendConfig, type Config } from './schema.js';
import { factsOf, schemaAt, secrecyAt, type SettingPath } from './shape.js';
import { showDuration, showSize } from './units.js';

const MASK = '***';

/** The configuration as it may be shown, as a file would have it: without secrets, and without what addresses hide. */
export function maskConfig(config: Config): unknown {
  return mask(config, []);
}

function mask(value: unknown, path: SettingPath): unknown {
  const secret = path.length > 0 && value !== '' ? secrecyAt(configSchema, path) : undefined;
  if (secret === 'all') return Array.isArray(value) ? value.map(() => MASK) : MASK;
  if (secret === 'address') return String(value).split(',').map(maskAddress).join(',');
  if (Array.isArray(value)) return value.map((item, at) => mask(item, [...path, at]));
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  const schema = schemaAt(configSchema, path);
  switch (schema && factsOf(schema).kind) {
    case 'duration':
      return showDuration(Number(value));
    case 'size':
      return showSize(Number(value));
    case 'fail mode':
      return writtenFailMode(value as BackendConfig['failMode']);
    default:
  }
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, mask(inner, [...path, key])]));
}

function writtenFailMode(mode: BackendConfig['failMode']): unknown {
  return mode.kind === 'stale' ? { stale: true, then: mode.then } : mode.kind;
}

/** User, password and the values of the query may be secrets. */
function maskAddress(written: string): string {
  const url = new URL(written.trim());
  if (url.username === '' && url.password === '' && url.search === '') return written;
  if (url.username !== '') url.username = MASK;
  if (url.password !== '') url.password = MASK;
  for (const key of new Set(url.searchParams.keys())) url.searchParams.set(key, MASK);
  // Placeholders stay legible.
  return url.href.replaceAll(/%7B([a-z]+)%7D/gi, '{$1}');
}
