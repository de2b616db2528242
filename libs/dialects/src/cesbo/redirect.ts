import type { Decision } from '#usher/domain';

/** Location and X-Location are passed on under the name that the backend used. Its value was checked by the adapter. */
export function redirectHeaders(decision: Decision): Record<string, string> {
  return decision.redirect === undefined ? {} : { [decision.redirect.header]: decision.redirect.address };
}

/** A name that may stand in a header: printable ASCII and latin1, no controls. */
export function headerSafe(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what must not pass
  return text.replace(/[^\t\u0020-\u007e\u0080-\u00ff]/g, '');
}
