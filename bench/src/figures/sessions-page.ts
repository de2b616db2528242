import { connectRedis } from '#usher/redis';
import type { Effort, Figure, Figures } from '../figure.js';
import { compared, type Pair } from '../pairs.js';
import { startTrivialBackend } from '../processes/http-server.js';
import type { Operator } from '../processes/operators.js';
import { startRedis, type RedisServer } from '../processes/redis.js';
import { median, percentile } from '../statistics.js';
import { startControlRig } from './control-rig.js';
import { DEVICES, openAll, quietRegistry, seenSession, TIMEOUT } from './sessions.js';

const LIMIT = 100;
const AIM = 100;
/** Of each kind, in each repetition. */
const REQUESTS = { full: 30, quick: 10 } as const;
/** Before the first repetition: compiles what a service that runs for months has compiled. */
const WARM_UP = 2;

/** A page, and what must be on it: another answer measures nothing. */
interface Page {
  readonly name: string;
  readonly query: string;
  readonly sessions: (found: number) => boolean;
  /** There is more to come. */
  readonly goesOn: boolean;
}

/** Times of one kind in one repetition, ms. */
type Times = Float64Array;

/**
 * One page of all sessions, as the console asks for it, by each of its filters; beside `GET /health` of the same API, which
 * asks nobody. One request at a time, the kinds in turn.
 */
export async function sessionsPage({ name, repetitions, sessions }: Effort): Promise<Figures> {
  const [redis, backend] = [await startRedis(), await startTrivialBackend()];
  try {
    await seed(redis, sessions);
    const rig = await startControlRig(0, { redisUrl: redis.url, backendPort: backend.port });
    try {
      const { operator } = rig;
      const pages = pagesOf(sessions);
      for (let i = 0; i < WARM_UP; i += 1) await round(operator, pages, REQUESTS[name]);
      const rounds: (readonly Times[])[] = [];
      for (let i = 0; i < repetitions; i += 1) rounds.push(await round(operator, pages, REQUESTS[name]));
      const health = rounds.map((times) => times[pages.length]!);
      return Object.fromEntries(
        pages.map((page, i) => {
          const times = rounds.map((round) => round[i]!);
          return [page.name, { ...figureOf(times, health), details: details(times, page, sessions) }];
        }),
      );
    } finally {
      await rig.stop();
    }
  } finally {
    await backend.stop();
    await redis.stop();
  }
}

async function seed({ url }: RedisServer, count: number): Promise<void> {
  const redis = connectRedis({ url, timeout: TIMEOUT });
  try {
    await redis.ready();
    await openAll(
      quietRegistry(redis),
      Array.from({ length: count }, (_, i) => seenSession(i)),
    );
  } finally {
    await redis.close();
  }
}

function pagesOf(sessions: number): readonly Page[] {
  const isFull = (found: number): boolean => found === LIMIT;
  const { user, ip } = seenSession(Math.floor(sessions / 2));
  const channels = Math.min(LIMIT, Math.ceil(sessions / 300));
  return [
    { name: 'sessionsPage', query: '', sessions: isFull, goesOn: true },
    {
      name: 'sessionsPageOfChannel',
      query: '&channel=a7',
      sessions: (found) => found >= channels - 1,
      goesOn: channels === LIMIT,
    },
    { name: 'sessionsPageOfEdge', query: '&edge=astra-3', sessions: isFull, goesOn: true },
    {
      name: 'sessionsPageOfUser',
      query: `&user=${user}`,
      sessions: (found) => found === DEVICES,
      goesOn: false,
    },
    // No index: it looks through 2,000 sessions, and finds one at most.
    { name: 'sessionsPageOfAddress', query: `&address=${ip}`, sessions: (found) => found <= 1, goesOn: true },
  ];
}

/** The times of each page, and of `GET /health` at the end. */
async function round(
  operator: Operator,
  pages: readonly Page[],
  requests: number,
): Promise<readonly Times[]> {
  const times = Array.from({ length: pages.length + 1 }, () => new Float64Array(requests));
  for (let turn = 0; turn < requests; turn += 1) {
    for (const [i, { query, sessions, goesOn }] of pages.entries()) {
      const asked = performance.now();
      const { body, at } = await operator.ask('GET', `/sessions?limit=${LIMIT}${query}`);
      times[i]![turn] = at - asked;
      const page = JSON.parse(body) as { sessions: unknown[]; cursor?: string };
      if (!sessions(page.sessions.length) || (page.cursor !== undefined) !== goesOn) {
        throw new Error(`?limit=${LIMIT}${query}: ${page.sessions.length} sessions, ${page.cursor}`);
      }
    }
    const asked = performance.now();
    const { at } = await operator.ask('GET', '/health');
    times[pages.length]![turn] = at - asked;
  }
  return times;
}

function figureOf(times: readonly Times[], health: readonly Times[]): Figure {
  const pairs = times.map((some, i): Pair<number> => ({ a: median([...some]), b: median([...health[i]!]) }));
  const ms = compared(pairs);
  return {
    ...ms,
    unit: 'ms',
    besideWhat: 'GET /health',
    aim: { text: `≤ ${AIM} ms`, met: ms.value <= AIM },
  };
}

function details(times: readonly Times[], { query }: Page, sessions: number): Figure['details'] {
  const sorted = Float64Array.from(times.flatMap((some) => [...some])).sort();
  return { sessions, limit: LIMIT, query, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}
