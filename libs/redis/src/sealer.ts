import { createCipheriv, createDecipheriv, createHash, randomFillSync, scryptSync } from 'node:crypto';

/** Seals texts that wait or travel in Redis, so that who reads Redis learns no token. */
export interface Sealer {
  /** `context` says what it is and whose (a session's key): it opens in no other place. */
  seal(text: string, context: string): string;
  /** Undefined for anything that was not sealed so under one of the secrets, in this context. */
  open(sealed: string, context: string): string | undefined;
}

interface Key {
  readonly id: number;
  readonly bytes: Buffer;
}

/** Sealed: version, key id, nonce, ciphertext, tag; base64url. */
const VERSION = 1;
const NONCE_AT = 2;
const NONCE = 12;
const TAG = 16;
const TEXT_AT = NONCE_AT + NONCE;
const ALGORITHM = 'aes-256-gcm';

/** The first secret seals, all open: so a secret is changed without losing what waits. Costs some 50 ms a secret, once. */
export function createSealer(secrets: readonly string[]): Sealer {
  const keys = secrets.map(deriveKey);
  const first = keys[0];
  if (first === undefined) throw new Error('secret: at least one is needed');
  return {
    seal: (text, context) => seal(first, text, context),
    open: (sealed, context) => {
      const bytes = Buffer.from(sealed, 'base64url');
      // One text, one spelling: what decodes leniently was not written by us.
      if (bytes.length < TEXT_AT + TAG || bytes[0] !== VERSION || bytes.toString('base64url') !== sealed)
        return;
      for (const key of keys) {
        const text = key.id === bytes[1] ? open(key, bytes, context) : undefined;
        if (text !== undefined) return text;
      }
      return undefined;
    },
  };
}

/** Slow on purpose: secrets may be phrases. The salt is fixed, for all processes must come to one key. */
function deriveKey(secret: string): Key {
  if (secret.length < 16) throw new Error('secret: at least 16 characters');
  const bytes = scryptSync(secret, 'usher sealed tokens, version 1', 32);
  return { bytes, id: createHash('sha256').update(bytes).digest()[0]! };
}

/** Random bytes drawn in advance: one draw for each nonce would be half of the work. None is used twice. */
const pool = Buffer.alloc(NONCE * 256);
let poolAt = pool.length;

function freshNonce(): Buffer {
  if (poolAt === pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  poolAt += NONCE;
  return pool.subarray(poolAt - NONCE, poolAt);
}

function seal(key: Key, text: string, context: string): string {
  const nonce = freshNonce();
  const cipher = createCipheriv(ALGORITHM, key.bytes, nonce).setAAD(Buffer.from(context));
  const head = Buffer.from([VERSION, key.id]);
  return Buffer.concat([
    head,
    nonce,
    cipher.update(text, 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]).toString('base64url');
}

function open(key: Key, bytes: Buffer, context: string): string | undefined {
  const decipher = createDecipheriv(ALGORITHM, key.bytes, bytes.subarray(NONCE_AT, TEXT_AT), {
    authTagLength: TAG,
  });
  decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG));
  try {
    return decipher.update(bytes.subarray(TEXT_AT, -TAG), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return undefined;
  }
}
