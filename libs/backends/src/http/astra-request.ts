import type { Check } from '#usher/domain';

/**
 * What Astra's "HTTP Request" sends (Cesbo, "HTTP Auth: Backend"), and X-Real-Origin, which Alta sends instead of
 * channel and host. Trusted facts: they come from the edge, never from the viewer's query. An empty one is not sent.
 */
export function astraHeaders(check: Check, own: readonly string[]): string[] {
  const headers = [...own];
  add(headers, 'X-Session-ID', check.sessionId);
  add(headers, 'X-Channel-ID', check.channel);
  add(headers, 'X-Real-IP', check.ip);
  add(headers, 'X-Real-Path', check.path);
  add(headers, 'X-Real-UA', check.userAgent);
  add(headers, 'X-Real-Host', check.host);
  add(headers, 'X-Real-Origin', check.origin);
  // No part of Astra's contract, which knows only players: nobody takes a publisher for one.
  if (check.action === 'publish') add(headers, 'X-Usher-Action', 'publish');
  return headers;
}

function add(headers: string[], name: string, value: string): void {
  if (value !== '') headers.push(name, headerSafe(value));
}

const UNSAFE = /[^\x20-\x7e\x80-\xff]/;
const ALL_UNSAFE = /[^\x20-\x7e\x80-\xff]/gu;

/** Control characters, and what is no byte at all, are percent-encoded: nothing in a value can end its line. */
export function headerSafe(value: string): string {
  if (!UNSAFE.test(value)) return value;
  return value.replace(ALL_UNSAFE, (char) =>
    [...Buffer.from(char, 'utf8')].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}
