import type { Redirect } from '#usher/domain';
import type { ReplyHeaders } from './exchange.js';
import type { AllowFacts } from './verdict.js';

/** Bytes of a user's or session's name. */
const MAX_NAME = 256;
/** Bytes of an address to show instead. */
const MAX_ADDRESS = 2048;
/** Seconds: a year. A longer X-AuthDuration counts as one. */
const MAX_DURATION = 31_536_000;
const MAX_SESSIONS = 1_000_000;

/** The facts of Astra's and Flussonic's contracts that an allow may carry. Garbage in one is as if it were absent. */
export function allowFacts(headers: ReplyHeaders): AllowFacts {
  const userId = usableName(headerIn(headers, 'x-userid'));
  const sessionName = usableName(headerIn(headers, 'x-session-name'));
  return {
    user: userId ?? sessionName,
    sessionName: sessionName ?? userId,
    authDuration: numberIn(headers, 'x-authduration', MAX_DURATION),
    maxSessions: numberIn(headers, 'x-max-sessions', MAX_SESSIONS),
    unique: uniqueIn(headers),
  };
}

/** The address to show instead: of a 3xx its Location, else X-Location first, which is Cesbo's own. */
export function redirectIn(status: number, headers: ReplyHeaders): Redirect | undefined {
  const location = addressIn(headers, 'Location');
  const xLocation = addressIn(headers, 'X-Location');
  return status >= 300 && status < 400 ? (location ?? xLocation) : (xLocation ?? location);
}

/** The first value of a header that came several times, without surrounding white space. */
export function headerIn(headers: ReplyHeaders, lowerCaseName: string): string | undefined {
  const value = headers[lowerCaseName];
  return (typeof value === 'string' ? value : value?.[0])?.trim();
}

// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** A name too long to keep is dropped, not cut: two users cut to one would share limits and holds. */
export function usableName(name: string | undefined): string | undefined {
  return name === undefined || name === '' || name.length > MAX_NAME || CONTROL.test(name) ? undefined : name;
}

function numberIn(headers: ReplyHeaders, header: string, max: number): number | undefined {
  const value = headerIn(headers, header);
  return value !== undefined && /^\d{1,15}$/.test(value) ? Math.min(Number(value), max) : undefined;
}

/** Flussonic takes `true` alone; others are seen to send 1 or yes. */
function uniqueIn(headers: ReplyHeaders): boolean | undefined {
  const value = headerIn(headers, 'x-unique');
  return value === undefined ? undefined : /^(?:true|1|yes)$/i.test(value);
}

/** An absolute http(s) address or an absolute path, of printable bytes; anything else is dropped. */
function addressIn(headers: ReplyHeaders, header: Redirect['header']): Redirect | undefined {
  const address = headerIn(headers, header.toLowerCase());
  if (address === undefined || address.length > MAX_ADDRESS || !/^[\x21-\x7e\x80-\xff]+$/.test(address)) {
    return undefined;
  }
  const usable = /^https?:\/\//i.test(address) ? URL.canParse(address) : /^\/(?!\/)/.test(address);
  return usable ? { header, address } : undefined;
}
