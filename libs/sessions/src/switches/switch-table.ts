import type { Switch, SwitchKind, SwitchMode } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { TimedTable } from '../timed/timed-table.js';
import { switchJson, switchName, SWITCHES, type SwitchRecord } from './switch-record.js';

/** Until a cluster time, or so long from now. Milliseconds. */
export type SwitchTime = { readonly until: number } | { readonly lasts: number };

export interface NewSwitch {
  readonly kind: SwitchKind;
  readonly name: string;
  readonly mode: SwitchMode;
  readonly by: string;
  readonly reason: string;
  readonly time: SwitchTime;
}

/** The table of switches in Redis: one for the cluster. Every method rejects while Redis is away or late. */
export class SwitchTable extends TimedTable<SwitchRecord> {
  constructor(redis: RedisClient) {
    super(redis, SWITCHES);
  }

  /**
   * Sets a switch; one on the same backend or route is replaced. Returns it as it stands.
   * @throws RangeError for a time that is past, and where there are too many
   */
  async set({ kind, name, mode, by, reason, time }: NewSwitch): Promise<SwitchRecord & Switch> {
    const json = switchJson({ effect: mode, by, reason });
    const { status, record } = await this.put(switchName(kind, name), 'set', time, json);
    if (status === 'full') throw new RangeError(`there are ${SWITCHES.most} switches: lift some first`);
    if (status !== 'held' || record === undefined) throw new RangeError('a switch until a time that is past');
    return { ...record, mode };
  }

  /** Lifts a switch. False where there is none. */
  async lift(kind: SwitchKind, name: string, by: string, reason = ''): Promise<boolean> {
    const json = switchJson({ effect: 'lifted', by, reason });
    const { status } = await this.put(switchName(kind, name), 'lift', {}, json);
    return status === 'held';
  }
}
