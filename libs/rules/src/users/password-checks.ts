import { scrypt, timingSafeEqual } from 'node:crypto';
import type { ScryptHash } from '#usher/config';
import type { Clock } from '#usher/domain';
import { Recent } from '../recent.js';
import type { SecretDigest } from '../secret-digest.js';
import type { Login } from '../words/shown-tokens.js';
import type { LoginAccount } from './account-table.js';

/** Hashings at once in this process: each takes a thread of Node's four, and up to 128 MiB. */
const AT_ONCE = 2;
/** Hashings that wait: at 25 ms each, all are done well within a check's deadline. */
const WAITING = 64;
/** … of them for one login, from one network, and for all logins that nobody has. Else one stranger fills them all. */
const WAITING_FOR_LOGIN = 2;
const WAITING_FROM_NETWORK = 8;
const WAITING_FOR_UNKNOWN = 8;
/** What a password came to cannot change while its hash is the same; the time bounds how long we know it. */
const GOOD = { max: 100_000, ttl: 3_600_000 };
const BAD = { max: 10_000, ttl: 60_000 };
/** Longer ones are nobody's: they are not hashed. */
const MAX_PASSWORD = 256;

export type Checked = 'good' | 'bad' | 'busy';

type Hashing = (password: Buffer, hash: ScryptHash) => Promise<Buffer>;

interface Waiting {
  readonly login: string;
  readonly network: string;
  readonly start: () => void;
}

/**
 * Compares passwords with their hashes, a few at once and with a bound on those that wait. A login that nobody has takes
 * as long as one that somebody has.
 */
export class PasswordChecks {
  readonly #good: Recent<true>;
  readonly #bad: Recent<true>;
  readonly #underWay = new Map<string, Promise<Checked>>();
  readonly #waiting: Waiting[] = [];
  #running = 0;

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
    const place = isKnown ? `=${login.name}` : '';
    if (!this.#hasRoom(place, network)) return 'busy';
    const checked = this.#inTurn(place, network, async (): Promise<Checked> => {
      const made = await this.hashing(Buffer.from(login.password, 'latin1'), account.hash);
      const isGood = timingSafeEqual(made, key) && isKnown;
      (isGood ? this.#good : this.#bad).set(question, true);
      return isGood ? 'good' : 'bad';
    }).finally(() => this.#underWay.delete(question));
    this.#underWay.set(question, checked);
    return checked;
  }

  #hasRoom(login: string, network: string): boolean {
    if (this.#running < AT_ONCE) return true;
    if (this.#waiting.length >= WAITING) return false;
    const ofLogin = this.#waiting.filter((one) => one.login === login).length;
    const ofNetwork = this.#waiting.filter((one) => one.network === network).length;
    return (
      ofLogin < (login === '' ? WAITING_FOR_UNKNOWN : WAITING_FOR_LOGIN) && ofNetwork < WAITING_FROM_NETWORK
    );
  }

  async #inTurn<T>(login: string, network: string, work: () => Promise<T>): Promise<T> {
    if (this.#running >= AT_ONCE) {
      await new Promise<void>((start) => this.#waiting.push({ login, network, start }));
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      // The next one takes over this one's place.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next.start();
    }
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
