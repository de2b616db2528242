import { scrypt, timingSafeEqual } from 'node:crypto';
import type { ScryptHash } from '#usher/config';
import type { Clock } from '#usher/domain';
import { Recent } from '../recent.js';
import type { SecretDigest } from '../secret-digest.js';
import { Turns } from '../turns.js';
import type { Login } from '../words/shown-tokens.js';
import type { LoginAccount } from './account-table.js';

/** Hashings at once in this process: each takes a thread of Node's four, and up to 128 MiB. */
const AT_ONCE = 2;
/** Hashings that wait: at 30 ms each, all are done within a check's deadline. */
const WAITING = 64;
/** … of them for one login, from one network, and for all logins that nobody has. Else one stranger fills them all. */
const WAITING_FOR_LOGIN = 2;
const WAITING_FROM_NETWORK = 32;
const WAITING_FOR_UNKNOWN = 8;
/** What a password came to cannot change while its hash is the same; the time bounds how long we know it. */
const GOOD = { max: 100_000, ttl: 3_600_000 };
const BAD = { max: 10_000, ttl: 60_000 };
/** Longer ones are nobody's: they are not hashed. */
const MAX_PASSWORD = 256;

export type Checked = 'good' | 'bad' | 'busy';

type Hashing = (password: Buffer, hash: ScryptHash) => Promise<Buffer>;

interface Waiting {
  /** Empty: one that nobody has. */
  readonly login: string;
  readonly network: string;
}

/**
 * Compares passwords with their hashes, a few at once and with a bound on those that wait. A login that nobody has takes
 * as long as one that somebody has.
 */
export class PasswordChecks {
  readonly #good: Recent<true>;
  readonly #bad: Recent<true>;
  readonly #underWay = new Map<string, Promise<Checked>>();
  readonly #turns = new Turns(AT_ONCE, WAITING);
  readonly #waiting = new Set<Waiting>();

  constructor(
    clock: Clock,
    private readonly digest: SecretDigest,
    private readonly hashing: Hashing = hashed,
  ) {
    this.#good = new Recent(clock, GOOD.max, GOOD.ttl);
    this.#bad = new Recent(clock, BAD.max, BAD.ttl);
  }

  /**
   * @param account whose hash is compared with
   * @param isKnown false: nobody has this login, and the account only stands in
   * @param network from where: an IPv6 address's /64
   */
  check(login: Login, account: LoginAccount, isKnown: boolean, network: string): Checked | Promise<Checked> {
    if (login.password.length > MAX_PASSWORD) return 'bad';
    const { salt, key } = account.hash;
    const question = this.digest.of(isKnown ? 'known' : 'unknown', login.name, login.password, salt, key);
    if (this.#good.get(question)) return 'good';
    if (this.#bad.get(question)) return 'bad';
    const same = this.#underWay.get(question);
    if (same !== undefined) return same;
    const waiting: Waiting = { login: isKnown ? login.name : '', network };
    if (!this.#hasRoom(waiting)) return 'busy';
    this.#waiting.add(waiting);
    const checked = this.#turns
      .run(async (): Promise<Checked> => {
        this.#waiting.delete(waiting);
        const made = await this.hashing(Buffer.from(login.password, 'latin1'), account.hash);
        const isGood = timingSafeEqual(made, key) && isKnown;
        (isGood ? this.#good : this.#bad).set(question, true);
        return isGood ? 'good' : 'bad';
      })
      .finally(() => this.#underWay.delete(question));
    this.#underWay.set(question, checked);
    return checked;
  }

  #hasRoom({ login, network }: Waiting): boolean {
    if (this.#turns.isFull) return false;
    let ofLogin = 0;
    let ofNetwork = 0;
    for (const one of this.#waiting) {
      if (one.login === login) ofLogin += 1;
      if (one.network === network) ofNetwork += 1;
    }
    return (
      ofLogin < (login === '' ? WAITING_FOR_UNKNOWN : WAITING_FOR_LOGIN) && ofNetwork < WAITING_FROM_NETWORK
    );
  }
}

function hashed(password: Buffer, { ln, r, p, salt, key }: ScryptHash): Promise<Buffer> {
  const options = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, key.length, options, (error, made) =>
      error === null ? resolve(made) : reject(error),
    );
  });
}
