import { credentialKeyOf } from '#usher/domain';
import type { Clock, HeldFacts, Hold, HoldKind, HoldOrigin, Holds } from '#usher/domain';
import { AgentPatterns } from './agent-patterns.js';
import { HOLDS, type HeldRecord } from './hold-record.js';
import { plainAddress } from '../plain-address.js';
import { userSubject } from './hold-subject.js';
import { HeldNetworks } from './held-networks.js';
import { TimedRecords } from '../timed/timed-records.js';

const NONE: ReadonlySet<HoldOrigin> = new Set();

/** Whether a hold runs, and is not looked past. */
type Counts = (hold: Hold) => boolean;

/**
 * The holds that this process knows, found by what a check shows. What counts of several is the narrowest: credential,
 * viewer, address, network (the longest prefix), user agent, channel. A kind of which there is none costs nothing.
 */
export class HoldMemory implements Holds {
  readonly #records: TimedRecords<HeldRecord>;
  readonly #bySubject: Readonly<Record<HoldKind, Map<string, Hold>>> = {
    credential: new Map(),
    viewer: new Map(),
    address: new Map(),
    network: new Map(),
    agent: new Map(),
    channel: new Map(),
    'user-viewer': new Map(),
    user: new Map(),
  };
  readonly #networks = new HeldNetworks(this.#bySubject.network);
  readonly #agents = new AgentPatterns(this.#bySubject.agent);
  #version = 0;

  constructor(private readonly clock: Clock) {
    this.#records = new TimedRecords(HOLDS, clock);
  }

  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#records.size;
  }

  before(facts: HeldFacts, but: ReadonlySet<HoldOrigin> = NONE): Hold | undefined {
    if (this.#records.size === 0) return undefined;
    const { credential, viewer, channel } = this.#bySubject;
    const counts = this.#counts(but);
    return (
      (credential.size > 0 ? found(credential.get(credentialKeyOf(facts.credential)), counts) : undefined) ??
      found(viewer.get(facts.viewerKey), counts) ??
      this.#ofAddress(facts.ip, counts) ??
      this.#agents.find(facts.userAgent, counts) ??
      found(channel.get(facts.channel), counts)
    );
  }

  ofUser(
    namespace: string,
    user: string,
    viewerKey: string,
    but: ReadonlySet<HoldOrigin> = NONE,
  ): Hold | undefined {
    const { 'user-viewer': both, user: users } = this.#bySubject;
    if (user === '' || both.size + users.size === 0) return undefined;
    const subject = userSubject(namespace, user);
    const counts = this.#counts(but);
    return found(both.get(`${subject}/${viewerKey}`), counts) ?? found(users.get(subject), counts);
  }

  /** Takes a change over, unless what is known is newer. True where something changed. */
  apply(record: HeldRecord): boolean {
    if (!this.#records.take(record)) return false;
    const { kind, subject, effect } = record;
    if (effect === 'lifted') this.#bySubject[kind].delete(subject);
    else this.#bySubject[kind].set(subject, { ...record, effect });
    this.#version += 1;
    this.#changed(kind);
    return true;
  }

  /** Forgets what is over. A refusal is kept by nobody; who had a pass may be refused by a wider hold now. */
  purge(): void {
    for (const { kind, subject, effect } of this.#records.purge()) {
      this.#bySubject[kind].delete(subject);
      if (effect === 'pass') this.#version += 1;
      this.#changed(kind);
    }
  }

  /** Everything that is known and not over, what was lifted included. */
  records(): Iterable<HeldRecord> {
    return this.#records.running();
  }

  /** The holds that count now. */
  *holds(): Generator<Hold> {
    for (const record of this.records()) {
      const { effect } = record;
      if (effect !== 'lifted') yield { ...record, effect };
    }
  }

  #ofAddress(ip: string, counts: Counts): Hold | undefined {
    const { address, network } = this.#bySubject;
    if (address.size + network.size === 0) return undefined;
    const plain = plainAddress(ip);
    return found(address.get(plain), counts) ?? this.#networks.find(plain, counts);
  }

  #counts(but: ReadonlySet<HoldOrigin>): Counts {
    const now = this.clock.now();
    return (hold) => hold.until > now && !but.has(hold.origin);
  }

  #changed(kind: HoldKind): void {
    if (kind === 'network') this.#networks.changed();
    if (kind === 'agent') this.#agents.changed();
  }
}

const found = (hold: Hold | undefined, counts: Counts): Hold | undefined =>
  hold !== undefined && counts(hold) ? hold : undefined;
