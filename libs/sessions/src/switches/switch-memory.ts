import type { Clock, Switch, SwitchKind, Switches } from '#usher/domain';
import { TimedRecords } from '../timed/timed-records.js';
import { switchOf, SWITCHES, type SwitchRecord } from './switch-record.js';

/** A switch was set (or replaced), lifted by somebody, or its time is up. */
export interface SwitchChange extends Pick<Switch, 'kind' | 'name'> {
  readonly what: 'set' | 'lifted' | 'over';
  /** The switch that counts now. */
  readonly now: Switch | undefined;
  /** Who set or lifted it, and why. */
  readonly by: string;
  readonly reason: string;
}

/** The switches that this process knows. */
export class SwitchMemory implements Switches {
  readonly #records: TimedRecords<SwitchRecord>;
  readonly #byName: Readonly<Record<SwitchKind, Map<string, Switch>>> = {
    backend: new Map(),
    route: new Map(),
  };

  /** @param onChange told once of each change, in the order in which they are noticed */
  constructor(
    private readonly clock: Clock,
    private readonly onChange: (change: SwitchChange) => void,
  ) {
    this.#records = new TimedRecords(SWITCHES, clock);
  }

  ofBackend(backend: string): Switch | undefined {
    return this.#running('backend', backend);
  }

  ofRoute(route: string | undefined): Switch | undefined {
    return route === undefined ? undefined : this.#running('route', route);
  }

  /** Takes a change over, unless what is known is newer. True where something changed. */
  apply(record: SwitchRecord): boolean {
    if (!this.#records.take(record)) return false;
    const { kind, name, by, reason } = record;
    const byName = this.#byName[kind];
    const now = switchOf(record);
    const before = byName.get(name);
    if (now === undefined) byName.delete(name);
    else byName.set(name, now);
    if (now !== undefined) this.onChange({ what: 'set', kind, name, now, by, reason });
    else if (before !== undefined) this.onChange({ what: 'lifted', kind, name, now, by, reason });
    return true;
  }

  /** Forgets what is over, and tells of each switch that ended so. */
  purge(): void {
    for (const { kind, name, by, reason } of this.#records.purge()) {
      const wasOn = this.#byName[kind].delete(name);
      if (wasOn) this.onChange({ what: 'over', kind, name, now: undefined, by, reason });
    }
  }

  /** Everything that is known and not over, what was lifted included. */
  records(): Iterable<SwitchRecord> {
    return this.#records.running();
  }

  /** The switches that count now. */
  *switches(): Generator<Switch> {
    for (const record of this.records()) {
      const running = switchOf(record);
      if (running !== undefined) yield running;
    }
  }

  #running(kind: SwitchKind, name: string): Switch | undefined {
    const byName = this.#byName[kind];
    const found = byName.size === 0 ? undefined : byName.get(name);
    return found !== undefined && found.until > this.clock.now() ? found : undefined;
  }
}
