import { failedForGood, failedForNow } from './cut-result.js';
import type { CutResult } from './cut-result.js';

const TOO_SOON: ReadonlySet<number> = new Set([408, 425, 429]);

/** What a status means that is neither success nor "not found". `where`: the address, for people. */
export function failedBy(status: number, where: string): CutResult {
  const said = `${where}: status ${status}`;
  if (status === 401 || status === 403 || status === 407)
    return failedForGood(`${said}: check user and password`);
  if (status >= 300 && status < 400)
    return failedForGood(`${said}: it sends us elsewhere; say where it really is`);
  if (status >= 400 && status < 500 && !TOO_SOON.has(status)) return failedForGood(said);
  return failedForNow(said);
}
