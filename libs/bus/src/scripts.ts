import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface BusScript {
  readonly source: string;
  readonly sha: string;
}

/** Reads a Lua file beside this one. */
function script(file: string): BusScript {
  const source = readFileSync(new URL(file, import.meta.url), 'utf8');
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

export const ADD_REQUESTS = script('./add-requests-1.lua');
export const KEEP_REPLIES = script('./keep-replies-1.lua');
export const WATCH_EVENTS = script('./watch-events-2.lua');
export const BEAT = script('./beat-1.lua');
