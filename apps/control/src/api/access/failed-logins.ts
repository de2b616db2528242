import { networkOf, type Clock } from '#usher/domain';

/** So many different wrong tokens … */
const TOKENS = 10;
/** … within this time, ms … */
const WITHIN = 600_000;
/** … and the address is not listened to for so long, ms. */
const LOCKED = 60_000;
/** Addresses remembered; the one that was wrong longest ago is forgotten first. */
const ADDRESSES = 1_000;

interface Failures {
  readonly since: number;
  readonly digests: Set<string>;
  lockedUntil: number;
}

/**
 * Keeps guessing slow. Different wrong tokens count, by address (IPv6: by /64): a program that goes on with one old
 * token locks nobody out.
 */
export class FailedLogins {
  readonly #failures = new Map<string, Failures>();

  constructor(private readonly clock: Clock) {}

  /** Seconds until this address is listened to again; 0: it is. */
  lockedFor(address: string): number {
    const failures = this.#failures.get(networkOf(address));
    const left = (failures?.lockedUntil ?? 0) - this.clock.monotonic();
    return Math.max(0, Math.ceil(left / 1_000));
  }

  /** Notes a wrong token by its digest; true where it locks the address. */
  note(address: string, digest: Buffer): boolean {
    const now = this.clock.monotonic();
    const name = networkOf(address);
    const before = this.#failures.get(name);
    const failures =
      before !== undefined && now - before.since < WITHIN
        ? before
        : { since: now, digests: new Set<string>(), lockedUntil: 0 };
    this.#failures.delete(name);
    this.#failures.set(name, failures);
    if (this.#failures.size > ADDRESSES) this.#failures.delete(this.#failures.keys().next().value!);
    failures.digests.add(digest.toString('latin1'));
    if (failures.digests.size < TOKENS) return false;
    failures.digests.clear();
    failures.lockedUntil = now + LOCKED;
    return true;
  }
}
