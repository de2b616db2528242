/** A password's scrypt, as a PHC string: `$scrypt$ln=14,r=8,p=1$<salt>$<key>`, base64 without padding. */
export interface ScryptHash {
  readonly kind: 'scrypt';
  /** log2 of N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Buffer;
  readonly key: Buffer;
}

/** A static token's SHA-256: `$sha256$<digest>`. Only for tokens too long to be guessed. */
export interface TokenHash {
  readonly kind: 'sha256';
  readonly digest: Buffer;
}

/** One line of accounts: `ann:$scrypt$… max=2`, or `box-17:$sha256$…`, a token of the user box-17. */
export interface Account {
  readonly name: string;
  readonly hash: ScryptHash | TokenHash;
  /** So many devices at once. */
  readonly maxSessions?: number;
}

/** Memory of one hashing: 128 * N * r bytes. Two run at once in each process. */
const MAX_BYTES = 128 * 1024 * 1024;
const BOUNDS = { ln: [10, 17], r: [1, 16], p: [1, 4] } as const;
const MAX_DEVICES = 250;

/**
 * Reads one line. White space, and a colon in the name, are not possible.
 * @throws Error: what was expected, without anything of the hash.
 */
export function parseAccount(line: string): Account {
  const [account = '', ...attributes] = line.trim().split(/\s+/);
  const colon = account.indexOf(':');
  const name = account.slice(0, Math.max(0, colon));
  // As the name comes over the wire: its bytes.
  if (!/^[^\s:]{1,64}$/u.test(name)) {
    throw new Error('a name of 1 to 64 characters, a colon, and a hash that `usher hash` prints');
  }
  return { name, hash: parseHash(account.slice(colon + 1)), ...attributesOf(attributes) };
}

function parseHash(text: string): ScryptHash | TokenHash {
  const [before, kind, ...rest] = text.split('$');
  if (before === '' && kind === 'scrypt' && rest.length === 3) return parseScrypt(rest);
  if (before === '' && kind === 'sha256' && rest.length === 1) {
    return { kind, digest: bytes(rest[0]!, 32, 32, 'the digest') };
  }
  throw new Error('a hash that `usher hash` prints: $scrypt$ln=14,r=8,p=1$…$…, or $sha256$…');
}

function parseScrypt([parameters = '', salt = '', key = '']: readonly string[]): ScryptHash {
  const match = /^ln=(\d{1,3}),r=(\d{1,3}),p=(\d{1,3})$/.exec(parameters);
  if (match === null) throw new Error('ln=…,r=…,p=… after $scrypt$');
  const [ln, r, p] = match.slice(1).map(Number) as [number, number, number];
  for (const [name, value] of Object.entries({ ln, r, p })) {
    const [least, most] = BOUNDS[name as keyof typeof BOUNDS];
    if (value < least || value > most)
      throw new Error(`scrypt with ${name} of ${least} to ${most}, not ${value}`);
  }
  if (128 * 2 ** ln * r > MAX_BYTES) throw new Error('scrypt with ln and r that need no more than 128 MiB');
  return {
    kind: 'scrypt',
    ln,
    r,
    p,
    salt: bytes(salt, 8, 64, 'the salt'),
    key: bytes(key, 16, 64, 'the key'),
  };
}

function bytes(base64: string, least: number, most: number, what: string): Buffer {
  const read = /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? Buffer.from(base64, 'base64') : Buffer.alloc(0);
  if (read.length >= least && read.length <= most) return read;
  const length = least === most ? `${least}` : `${least} to ${most}`;
  throw new Error(`${what} of ${length} bytes in base64`);
}

function attributesOf(attributes: readonly string[]): Pick<Account, 'maxSessions'> {
  const [attribute, ...more] = attributes;
  if (attribute === undefined) return {};
  const count = Number(/^max=(\d{1,3})$/.exec(attribute)?.[1] ?? Number.NaN);
  if (more.length > 0 || !(count >= 1 && count <= MAX_DEVICES)) {
    throw new Error(`after the hash nothing, or max=1 to max=${MAX_DEVICES}`);
  }
  return { maxSessions: count };
}
