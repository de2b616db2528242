import { recheckOutage, type Loan } from '../../../apps/control/src/outages/recheck.js';
import { VirtualTime } from '../../../libs/testing/src/virtual-time.js';
import type { BackendAnswer, Check, Session } from '#usher/domain';
import type { OutageResult } from '#usher/sessions';
import type { Effort, Figures } from '../figure.js';
import { PACE, TAKES, VirtualBackend } from './virtual-backend.js';

/** Questions that may be under way at once. */
const WIDTH = 32;
/** One of so many is refused: not so many that nobody is cut. */
const DENIED = 20;
const NAME = { backend: 'portal', tail: '1' };
const ANSWER = { backend: 'portal', tookMs: TAKES, status: 200 } as const;

/**
 * Asking again after an outage, in this process, about that many sessions who were let in on trust, with a clock that passes
 * while nobody works and a ledger in memory: how fast the backend is asked in any second of it, and what that costs first
 * checks.
 */
export async function recheckOutageVirtual({ sessions }: Effort): Promise<Figures> {
  const time = new VirtualTime();
  const { clock } = time;
  const backend = new VirtualBackend(time);
  const results = new Map<string, OutageResult>();
  const ended = new AbortController();
  const began = { at: clock.monotonic(), wall: performance.now() };
  const ask = async ({ check }: { readonly check: Check }): Promise<BackendAnswer> => {
    await backend.recheck();
    return Number(check.sessionId) % DENIED === 0
      ? { ...ANSWER, kind: 'deny', reason: 'backend-denied', status: 403 }
      : { ...ANSWER, kind: 'allow', reason: 'backend-allowed' };
  };
  const going = recheckOutage(
    {
      clock,
      random: Math.random,
      checkOf: async (_, field) => ({ sessionId: field }) as Check,
      read: async ({ sessionId }) => ({ sessionId, fingerprint: 'same', state: 'on-trust' }) as Session,
      ask,
      revoke: async () => true,
      mayAsk: () => true,
      pace: () => PACE,
      width: () => WIDTH,
      book: {
        begun: { answered: 0, passed: false },
        note: async ({ field }, result) => void results.set(field, result),
        keep: async () => undefined,
        stop: async () => undefined,
      },
      signal: ended.signal,
      pause: time.pause,
    },
    NAME,
    Array.from({ length: sessions }, (_, id) => loanOf(String(id))),
  );
  const watching = backend.viewers(ended.signal);
  const { kind } = await time.until(going);
  ended.abort();
  await time.until(watching);
  const cut = [...results.values()].filter((result) => result === 'cut').length;
  if (kind !== 'done' || results.size !== sessions || cut !== Math.ceil(sessions / DENIED))
    throw new Error(`after an outage: ${kind}, ${results.size} of ${sessions} were settled, ${cut} cut`);
  const virtualSeconds = (clock.monotonic() - began.at) / 1_000;
  const wallSeconds = (performance.now() - began.wall) / 1_000;
  return backend.figures('recheckOutageVirtual', { sessions, cut, virtualSeconds, wallSeconds });
}

function loanOf(sessionId: string): Loan {
  return {
    field: sessionId,
    column: 'onTrust',
    session: { edge: 'astra-1', sessionId },
    fingerprint: 'same',
  };
}
