import type { Clock, Log } from '#usher/domain';

/** One line a minute for each rule: what breaks does so for every check. */
const EVERY_MS = 60_000;

/** Tells of rules that broke. */
export class Trouble {
  readonly #told = new Map<string, { at: number; leftOut: number }>();

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** @param place the route and the rule: of the configuration, so there are few */
  tell(place: string, error: unknown): void {
    const now = this.clock.monotonic();
    const told = this.#told.get(place);
    if (told !== undefined && now < told.at + EVERY_MS) {
      told.leftOut += 1;
      return;
    }
    this.#told.set(place, { at: now, leftOut: 0 });
    this.log.error({ rule: place, error, leftOut: told?.leftOut ?? 0 }, 'a rule broke');
  }
}
