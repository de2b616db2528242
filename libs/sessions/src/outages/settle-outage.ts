import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, Session, SessionName } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { nameOf } from '../registry/session-names.js';
import type { OutageLine, OutageResult } from './outage-line.js';
import { readEnds, type SessionEnd } from './outage-ends.js';
import { columnOf, markOf, sessionMark, type OutageName } from './outage-names.js';
import type { LedgerNode, LineFinding, OutageRecord, OutageStore } from './outage-store.js';

/** Sessions looked up at once, and the pause after them, ms: some 2,000 a second. */
const LOOKED_UP = 50;
const PAUSE = 25;

export interface SettlementOfOutage {
  readonly store: OutageStore;
  readonly redis: RedisClient;
  readonly clock: Clock;
  readonly shards: number;
  readonly registry: { read(name: SessionName): Promise<Session | undefined> };
  /** Whether a process lives. */
  readonly lives: (node: string) => boolean;
  /** What is said of a session that plays on and that nobody will ask about; undefined: somebody will. */
  readonly unasked: (line: OutageLine) => OutageResult | undefined;
  readonly signal?: AbortSignal;
}

/**
 * A session that an outage let in, that plays on, and of which nobody has said what the backend says; or that the backend
 * refused, and whoever was to cut it died.
 */
export interface OpenLoan {
  readonly line: OutageLine;
  readonly session: Session;
}

/**
 * Once an outage is over: finds out what became of those who were let in, as far as the registry knows, and how long they
 * played where the process that counted them is dead. Yields who plays on. Rejects while Redis is away or late; then all
 * of it can be done again.
 */
export async function* settleLines(
  outage: SettlementOfOutage,
  record: OutageRecord & { readonly end: number },
): AsyncGenerator<OpenLoan> {
  const { store, redis, shards, clock, signal } = outage;
  const { name, start, end } = record;
  const stopped = record.marks.has('cutStopped');
  const isPending = (line: OutageLine): boolean =>
    isUnasked(line) || (line.result === 'denied' && !stopped && outage.unasked(line) === undefined);
  const unknown: OutageLine[] = [];
  for await (const line of store.lines(name)) if (line.since !== 0 || isPending(line)) unknown.push(line);
  const marks = new Set(unknown.map(({ field }) => markOf(field)));
  const ends = await readEnds(redis, shards, start, marks);
  for (let from = 0; from < unknown.length; from += LOOKED_UP) {
    if (signal?.aborted === true) return;
    const lines = unknown.slice(from, from + LOOKED_UP);
    const sessions = await Promise.all(lines.map((line) => sessionOf(outage, line)));
    const findings: LineFinding[] = [];
    const playing: OpenLoan[] = [];
    for (const [place, line] of lines.entries()) {
      const session = sessions[place];
      const isDead = !outage.lives(line.node);
      const result = isPending(line) ? resultOf(line, session, outage.unasked(line)) : undefined;
      const finding = findingOf(line, session, ends.get(markOf(line.field)), end, isDead, result);
      if (finding !== undefined) findings.push(finding);
      if (session !== undefined && isPending(line)) playing.push({ line, session });
    }
    await store.settleLines(name, start, findings, clock.now());
    yield* playing;
    await delay(PAUSE, undefined, { signal }).catch(() => undefined);
  }
}

/** Notes which processes died with something unsaid: their part is incomplete from their last word on. */
export async function noteLostNodes(
  store: OutageStore,
  name: OutageName,
  lives: (node: string) => boolean,
  now: number,
): Promise<void> {
  for (const node of await store.nodes(name)) {
    if (isComplete(node) || lives(node.node)) continue;
    await store.mark(name, `lost:${node.node}`, Math.round(now));
  }
}

export function isComplete({ state }: LedgerNode): boolean {
  return state === 'done' || state === 'left';
}

const isUnasked = ({ result }: OutageLine): boolean => result === '' || result === 'not-checked';

async function sessionOf({ registry }: SettlementOfOutage, line: OutageLine): Promise<Session | undefined> {
  const mark = markOf(line.field);
  const member = mark.slice(0, mark.lastIndexOf('|'));
  const name = nameOf(member);
  const session = name && (await registry.read(name));
  if (session === undefined || session.state === 'revoked') return undefined;
  return sessionMark(member, session.fingerprint) === mark ? session : undefined;
}

function findingOf(
  line: OutageLine,
  session: Session | undefined,
  ended: SessionEnd | undefined,
  end: number,
  isDead: boolean,
  result: OutageResult | undefined,
): LineFinding | undefined {
  const column = columnOf(line.field);
  if (column === undefined) return undefined;
  const { field, since } = line;
  const finding = { field, column, result };
  // Its process told of the end, or it played on to the outage's.
  if (since === 0) return finding.result === undefined ? undefined : finding;
  if (session !== undefined) {
    return { ...finding, estimated: session.presence === 'assumed' };
  }
  if (ended === undefined) return { ...finding, estimated: true };
  const playedOn = ended.at >= end;
  return {
    ...finding,
    endedAt: isDead && !playedOn ? ended.at : undefined,
    estimated: ended.assumed || (!isDead && !playedOn),
  };
}

function resultOf(
  { result }: OutageLine,
  session: Session | undefined,
  unasked: OutageResult | undefined,
): OutageResult | undefined {
  if (result === 'not-checked') return undefined;
  // Refused, and it ended: whoever cut it died before he could say so.
  if (result === 'denied') return session === undefined ? 'cut' : undefined;
  return session === undefined ? 'gone' : unasked;
}
