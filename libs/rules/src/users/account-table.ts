import { createHash } from 'node:crypto';
import { ConfigError, parseAccount, type Account, type ScryptHash } from '#usher/config';
import { byteString } from '../words/byte-string.js';
import type { SecretDigest } from '../secret-digest.js';

export interface LoginAccount {
  /** Byte string. */
  readonly name: string;
  readonly hash: ScryptHash;
  readonly maxSessions?: number;
}

export interface TokenAccount {
  readonly name: string;
  readonly maxSessions?: number;
}

const MAX_PROBLEMS = 10;

/** Who may log in, and whose static tokens there are. */
export class AccountTable {
  readonly #logins = new Map<string, LoginAccount>();
  readonly #tokens = new Map<string, TokenAccount>();
  /** The costs that occur, for logins that nobody has. */
  readonly #names: string[] = [];

  constructor(private readonly digest: SecretDigest) {}

  get hasLogins(): boolean {
    return this.#names.length > 0;
  }

  get hasTokens(): boolean {
    return this.#tokens.size > 0;
  }

  /** @throws Error where the login is there already */
  add({ name: text, hash, maxSessions }: Account): void {
    const name = byteString(text);
    const cap = maxSessions === undefined ? {} : { maxSessions };
    if (hash.kind === 'sha256') {
      this.#tokens.set(this.digest.of(hash.digest), { name, ...cap });
      return;
    }
    if (this.#logins.has(name)) throw new Error('each login once; this one is there already');
    this.#logins.set(name, { name, hash, ...cap });
    this.#names.push(name);
  }

  login(name: string): LoginAccount | undefined {
    return this.#logins.get(name);
  }

  /** Somebody whose hash costs as much as this login's would, were it known: the same one for each login. */
  standIn(name: string): LoginAccount | undefined {
    const at = Buffer.from(this.digest.of('stand-in', name), 'base64').readUInt32BE(0);
    return this.#logins.get(this.#names[at % this.#names.length] ?? '');
  }

  token(token: string): TokenAccount | undefined {
    return this.#tokens.get(this.digest.of(createHash('sha256').update(token, 'latin1').digest()));
  }
}

/**
 * Reads a file of accounts; # at the start of a line is a comment.
 * @throws ConfigError with file and line, and nothing of a hash
 */
export function readAccounts(bytes: Buffer, name: string, digest: SecretDigest): AccountTable {
  const table = new AccountTable(digest);
  const problems: string[] = [];
  for (const [at, line] of bytes.toString('utf8').split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    try {
      table.add(parseAccount(line));
    } catch (error) {
      problems.push(`${name}:${at + 1}: expected ${(error as Error).message}`);
    }
    if (problems.length >= MAX_PROBLEMS) break;
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return table;
}
