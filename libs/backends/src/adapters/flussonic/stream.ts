import { unescaped, withoutQuery } from '#usher/domain';

/**
 * `proto` by how a path ends. UNVERIFIED: of Flussonic's words only `hls` is seen in its documentation's example, the others
 * come from its users; no full list is published.
 */
const PROTO_BY_ENDING: Readonly<Record<string, string>> = {
  m3u8: 'hls',
  mpd: 'dash',
  ts: 'mpegts',
  mpegts: 'mpegts',
  mp4: 'mp4',
};
/** A plain stream over HTTP, as Astra's /play/a001; the field must be there. */
const NO_ENDING = 'mpegts';

/** What it is played by, as far as the path shows. */
export function protoOf(path: string): string {
  const ending = /[./]([A-Za-z0-9]+)$/.exec(withoutQuery(path))?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(PROTO_BY_ENDING, ending) ? PROTO_BY_ENDING[ending]! : NO_ENDING;
}

/**
 * A stream's name for an edge that gives none: the path without its file, a001 of /a001/index.m3u8 and of /a001/mpegts.
 * UNVERIFIED: Flussonic's own paths are such; the operator of another server is to name channels.
 */
export function nameInPath(path: string): string {
  const parts = withoutQuery(path)
    .split('/')
    .filter((part) => part !== '');
  const file = parts.at(-1) ?? '';
  if (parts.length === 1) return unescaped(file.replace(/\.[A-Za-z0-9]+$/, ''));
  return unescaped((/\.[A-Za-z0-9]+$|^mpegts$/.test(file) ? parts.slice(0, -1) : parts).join('/'));
}
