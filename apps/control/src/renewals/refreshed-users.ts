import type { Clock, Session } from '#usher/domain';

/** The sessions of who was refreshed are asked about within this, ms, also where the first answer was late. */
const REMEMBERED = 600_000;
/** Of more the oldest are forgotten. */
const MOST = 1_000;

/** A user whom an operator refreshed; `at` is cluster time, ms. */
interface Refreshed {
  readonly namespace: string;
  readonly user: string;
  readonly at: number;
}

/** Users whom an operator has just refreshed: that one of them is refused now is no surprise. */
export class RefreshedUsers {
  readonly #at = new Map<string, number>();

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  note({ namespace, user, at }: Refreshed): void {
    const name = nameOf({ namespace, user });
    this.#at.delete(name);
    this.#at.set(name, at);
    for (const oldest of this.#at.keys()) {
      if (this.#at.size <= MOST) return;
      this.#at.delete(oldest);
    }
  }

  has(session: Pick<Session, 'namespace' | 'user'>): boolean {
    return this.clock.now() - (this.#at.get(nameOf(session)) ?? -Infinity) < REMEMBERED;
  }
}

const nameOf = ({ namespace, user }: Pick<Session, 'namespace' | 'user'>): string => `${namespace}/${user}`;
