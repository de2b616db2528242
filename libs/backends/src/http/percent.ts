const RESERVED = /[^A-Za-z0-9._~-]/gu;

/** A byte string as one value of a query: whatever it holds, it ends neither the value nor the request. */
export function percentEncoded(value: string): string {
  return value.replace(RESERVED, (char) => {
    const bytes = char <= '\xff' ? Buffer.from(char, 'latin1') : Buffer.from(char, 'utf8');
    return [...bytes].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
  });
}

/** `name=value&…`, in their order. */
export function queryOf(fields: Iterable<readonly [string, string]>): string {
  return Array.from(fields, ([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`).join('&');
}
