import { setTimeout as delay } from 'node:timers/promises';
import type { KeptDecisions, KnownMemory, RememberedGrant, SessionLife } from '#usher/decisions';
import type { Session, SessionName } from '#usher/domain';
import type { ClusterLimits, ClusterNode } from '#usher/node';
import { EpochWatcher, healRegistry, SignsOfLife } from '#usher/sessions';
import type { HeldRenewals } from './held-renewals.js';
import { switchedBackends } from './switched-backends.js';

/** Signs of life leave this gateway so often: what a killed gateway loses of them, ms. */
const FLUSH_EVERY = 10_000;
/** Redis may have been away for some time before that was noticed, ms. */
const UNNOTICED = 5_000;
/** Sessions, known viewers, or questions, that are offered back at once, and the pause after them, ms: 2,000 a second. */
const OFFERED = 50;
const OFFER_PAUSE = 25;
/** What a gateway that ends finds missing at the last moment is written back within it, ms. */
const LAST_WRITES = 1_000;

/** What the gateway holds. */
export interface Held {
  readonly kept: KeptDecisions;
  readonly known: KnownMemory;
  readonly life: SessionLife;
  readonly renewals: Pick<HeldRenewals, 'offer' | 'drop'>;
  /** Caps on devices, where there are any. */
  readonly limits?: Pick<ClusterLimits, 'offer' | 'observeForAWhile'> | undefined;
  /** What is held may be out of date: each entry is looked up once. */
  readonly forget: () => void;
}

export interface RegistryCare {
  /** Sends what is still to be sent. */
  close(): Promise<void>;
}

/** What a gateway does for the registry beside its checks: signs of life, and giving back what Redis lost. */
export function registryCare(node: ClusterNode, held: Held): RegistryCare {
  const { redis, registry, clock, config, log, news } = node;
  const ended = new AbortController();
  const { signal } = ended;
  let writing = Promise.resolve();
  const signs = new SignsOfLife(redis, registry, clock, {
    every: FLUSH_EVERY,
    onMissing: (names) => {
      writing = writing.then(() => writeBack(node, held, names));
    },
  });
  const note = setInterval(() => noteSeen(node, held, signs), FLUSH_EVERY).unref();
  let healing = Promise.resolve();
  const heal = (why: string, openedSince?: number): void => {
    healing = healing
      .then(async () => {
        const sessions = held.kept.sessions(openedSince);
        const healed = await healRegistry(sessions, redis, registry, clock, {
          signal,
          onLate: (session) => forgetRevoked(node, held, session),
        });
        // Control drops the question of a session that is not there.
        await offerRenewals(node, held, openedSince, signal);
        await offerKnown(node, held.known.grants(openedSince), signal);
        await held.limits?.offer(held.kept.sessions(openedSince), signal);
        log.info({ ...healed }, `${why}: what this gateway holds was offered back`);
      })
      .catch((error: unknown) => log.warn({ error }, 'what this gateway holds could not be offered back'));
  };
  const cameEmpty = (): void => {
    held.limits?.observeForAWhile();
    heal('Redis came back empty');
  };
  const epoch = new EpochWatcher(redis, cameEmpty, { shards: config.redis.shards });
  let awaySince = clock.now();
  const stopListening = redis.onAway((away, trouble) => {
    if (away) {
      awaySince = clock.now();
      log.warn({ trouble }, 'Redis is away: checks go on without it');
      // Older ones are in Redis, or were closed since: what is offered back would rise from the dead.
    } else heal('Redis is back', awaySince - UNNOTICED);
  });
  news.on('gap', held.forget);
  // Its id may come again, and what is kept would be offered back to a Redis that lost it.
  news.on('closed', (names) => {
    for (const name of names) forgetSession(held, name);
  });
  // Who only paused comes back with a credential that his backend may not know any more.
  news.on('idle', (names) => {
    for (const { edge, sessionId } of names) held.kept.idled(edge, sessionId);
  });
  news.on('denied', ({ backend, viewerKey, user, at }) =>
    held.known.forgetViewer(backend, viewerKey, user, at),
  );
  news.on('breaker', (backend, now) => {
    if (now.state === 'closed') held.kept.dropStandIns(backend);
  });
  // Set, lifted or over: another fail mode counts, or the backend can be asked.
  news.on('switched', (change) => {
    for (const backend of new Set(switchedBackends(config, change))) held.kept.dropStandIns(backend);
  });
  signs.start();
  epoch.start();
  return {
    close: async () => {
      ended.abort();
      stopListening();
      epoch.stop();
      clearInterval(note);
      noteSeen(node, held, signs);
      await Promise.all([signs.stop(), healing]);
      await Promise.race([writing, delay(LAST_WRITES, undefined, { ref: false })]);
    },
  };
}

function noteSeen({ registry }: ClusterNode, { kept, life }: Held, signs: SignsOfLife): void {
  for (const { session, checks, aliveUntil } of kept.takeSeen(life)) {
    signs.note(session, registry.shardOf(session), aliveUntil, checks);
  }
}

function forgetSession({ kept, renewals }: Held, name: SessionName): void {
  kept.dropNamed(name.edge, name.sessionId);
  renewals.drop(name);
}

/**
 * Its edge asks about it, or it was opened a moment ago: it lives, whatever the registry thinks; but for one that was
 * revoked. Paced. Never rejects.
 */
async function writeBack(node: ClusterNode, held: Held, names: readonly SessionName[]): Promise<void> {
  const { log, clock } = node;
  let written = 0;
  for (const { edge, sessionId } of names) {
    const session = held.kept.sessionNamed(edge, sessionId);
    if (session === undefined) continue;
    const aliveUntil = clock.now() + held.life.lifeOf(edge, session.presence);
    giveBack(node, held, { ...session, aliveUntil }).catch((error: unknown) =>
      log.debug({ error }, 'a session could not be written back'),
    );
    written += 1;
    if (written % OFFERED === 0) await delay(OFFER_PAUSE);
  }
}

async function giveBack({ registry }: ClusterNode, held: Held, session: Session): Promise<void> {
  if ((await registry.openSession(session)) === 'late') await forgetRevoked({ registry }, held, session);
  else await held.renewals.offer(session);
}

/** What was held came too late: if it was revoked, nobody told us. */
async function forgetRevoked(
  { registry }: Pick<ClusterNode, 'registry'>,
  held: Held,
  session: Session,
): Promise<void> {
  const found = await registry.find(session, session.fingerprint);
  const wasRevoked =
    found.kind === 'revoked' || (found.kind === 'none' && session.openedAt <= (found.revokedAt ?? 0));
  if (wasRevoked) forgetSession(held, session);
}

async function offerRenewals(
  { log }: ClusterNode,
  { kept, renewals }: Held,
  openedSince: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  let offered = 0;
  for (const session of kept.sessions(openedSince)) {
    if (signal.aborted) return;
    const offer = renewals.offer(session);
    if (offer === undefined) continue;
    offer.catch((error: unknown) => log.debug({ error }, 'a session’s question could not be given back'));
    offered += 1;
    if (offered % OFFERED === 0) await delay(OFFER_PAUSE);
  }
}

async function offerKnown(
  { known, log }: ClusterNode,
  grants: Iterable<RememberedGrant>,
  signal: AbortSignal,
): Promise<void> {
  let offered = 0;
  for (const { backend, viewerKey, fingerprint, ...grant } of grants) {
    if (signal.aborted) return;
    known
      .remember(backend, viewerKey, fingerprint, grant)
      .catch((error: unknown) => log.debug({ error }, 'a known viewer could not be written back'));
    offered += 1;
    if (offered % OFFERED === 0) await delay(OFFER_PAUSE);
  }
}
