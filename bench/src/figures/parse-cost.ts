import { configSchema } from '#usher/config';
import { DIALECTS, type Dialect, type EdgeRequest } from '#usher/dialects';
import type { Effort, Figure, Figures } from '../figure.js';
import { tokenOf } from '../load/viewers.js';
import { compared, inTurns } from '../pairs.js';
import { median, spread } from '../statistics.js';
import { SPOKEN, type Spoken } from './edge-requests.js';

/** Different requests in turn: no dialect is measured by one that it knows by heart. */
const REQUESTS = 1_024;
const BATCH = 2_048;
/** Of a figure's seconds: what takes a microsecond needs no four seconds to be measured. */
const SHARE = 1 / 8;

interface Asked {
  readonly dialect: Dialect;
  readonly requests: readonly EdgeRequest[];
}

/** What it costs to read a question, for each dialect, beside Astra's; without HTTP around it, in one thread. */
export async function parseCost({ repetitions, seconds, warm }: Effort): Promise<Figures> {
  const all = Object.entries(SPOKEN).map(([name, spoken]) => [name, askedOf(spoken)] as const);
  for (const [, asked] of all) parsed(asked, warm * SHARE);
  const [[, astra], ...others] = all as [(typeof all)[number], ...typeof all];
  const run = (asked: Asked) => () => Promise.resolve(parsed(asked, seconds * SHARE));
  const figures: Record<string, Figure> = {};
  const ofAstra: number[] = [];
  for (const [name, asked] of others) {
    const pairs = await inTurns(repetitions, run(asked), run(astra));
    ofAstra.push(...pairs.map(({ b }) => b));
    figures[`parseCostOf${name}`] = {
      ...compared(pairs),
      unit: 'µs',
      besideWhat: 'Astra',
      details: { byHeart: byHeart(asked, seconds * SHARE) },
    };
  }
  return { parseCostOfAstra: { value: median(ofAstra), unit: 'µs', spread: spread(ofAstra) }, ...figures };
}

function askedOf({ dialect, edge, asks }: Spoken): Asked {
  const config = configSchema.parse({ edges: { one: { dialect, ...edge } } }).edges['one']!;
  const requests = Array.from({ length: REQUESTS }, (_, viewer) => asks(tokenOf(viewer)));
  return { dialect: DIALECTS[dialect].speak(config), requests };
}

/** Microseconds each. Throws where a request is no check: what is refused at once costs less. */
function parsed({ dialect, requests }: Asked, seconds: number): number {
  return cost(seconds, (at) => {
    const { kind } = dialect.parse(requests[at % REQUESTS]!);
    if (kind !== 'check') throw new Error(`a request was ${kind}, and no check`);
    return kind.length;
  });
}

/** What is read of a request that is answered from memory, µs; undefined where a dialect has no such way. */
function byHeart({ dialect, requests }: Asked, seconds: number): number | undefined {
  const { gist } = dialect;
  return gist && cost(seconds, (at) => gist(requests[at % REQUESTS]!)?.length ?? 0);
}

/** What it gives back must not be known to the compiler: it is added up. */
function cost(seconds: number, work: (at: number) => number): number {
  const start = performance.now();
  let [done, sum, elapsed] = [0, 0, 0];
  while (elapsed < seconds * 1000) {
    for (let i = 0; i < BATCH; i += 1) sum += work(done + i);
    done += BATCH;
    elapsed = performance.now() - start;
  }
  if (sum === 0) throw new Error('nothing was read');
  return (elapsed / done) * 1000;
}
