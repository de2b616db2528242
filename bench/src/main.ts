/** `npm run bench [-- --quick] [-- --only=<part>[,<part>]]`: one run of all figures, or of some parts, without a file. */
import { parseArgs } from 'node:util';
import { FULL, QUICK, type Effort, type Figures } from './figure.js';
import { busRoundTrips } from './figures/bus-round-trips.js';
import { cachedCheck } from './figures/cached-check.js';
import { kickLatency } from './figures/kick-latency.js';
import { memory } from './figures/memory.js';
import { opensWithLimit } from './figures/opens-with-limit.js';
import { recheck } from './figures/recheck.js';
import { refresh } from './figures/refresh.js';
import { sessionsPage } from './figures/sessions-page.js';
import { startToFirstAnswer } from './figures/start-to-first-answer.js';
import { uncachedCheck } from './figures/uncached-check.js';
import { machine, versions } from './machine.js';
import { rounded, table, writeResults } from './report.js';

const PARTS: Readonly<Record<string, (effort: Effort) => Promise<Figures>>> = {
  cachedCheck,
  uncachedCheck,
  busRoundTrips,
  memory,
  opensWithLimit,
  kickLatency,
  sessionsPage,
  refreshPer100k: refresh,
  recheck,
  startToFirstAnswer,
};
/** From dist/bench/src/. */
const RESULTS = new URL('../../../bench/results/', import.meta.url);

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' } } });
const effort = values.quick === true ? QUICK : FULL;
const names = values.only?.split(',') ?? Object.keys(PARTS);
const unknown = names.filter((name) => PARTS[name] === undefined);
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}

const about = { date: new Date().toISOString(), effort, machine: machine(), versions: versions() };
const figures: Record<string, Figures[string]> = {};
for (const name of names) {
  process.stderr.write(`${name} …\n`);
  Object.assign(figures, await PARTS[name]!(effort));
}
process.stdout.write(`\n${table(figures)}`);
if (values.only === undefined) writeResults(RESULTS, { ...figures, ...about });
else process.stdout.write(`\n${JSON.stringify(figures, rounded, 2)}\n`);
process.exit();
