import { createHash, timingSafeEqual } from 'node:crypto';
import type { AdminTokenConfig } from '#usher/config';

/** observer: sees. operator: changes too. */
export type Role = AdminTokenConfig['role'];

/** Who calls. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/** The name of the token that Usher makes by itself. */
export const ADMIN = 'admin';

interface Entry {
  readonly caller: Caller;
  readonly digest: Buffer;
}

/** Knows callers by their tokens; it keeps digests only. */
export class TokenTable {
  readonly #entries: readonly Entry[];

  /** Throws for names or tokens that are there twice, and for a table of nobody. */
  constructor(tokens: readonly AdminTokenConfig[]) {
    if (tokens.length === 0) throw new Error('control.tokens: nobody could ask');
    for (const key of ['name', 'token'] as const) {
      if (new Set(tokens.map((one) => one[key])).size < tokens.length) {
        throw new Error(`control.tokens: two have the same ${key}`);
      }
    }
    this.#entries = tokens.map(({ name, role, token }) => ({
      caller: Object.freeze({ name, role }),
      digest: tokenDigest(token),
    }));
  }

  /** Takes the same time whatever the token is: digests have one length, and all are compared. */
  find(token: string): Caller | undefined {
    const digest = tokenDigest(token);
    let found: Caller | undefined;
    for (const entry of this.#entries) {
      if (timingSafeEqual(entry.digest, digest)) found = entry.caller;
    }
    return found;
  }
}

export function tokenDigest(token: string): Buffer {
  return createHash('sha256').update(token, 'latin1').digest();
}
