/** `npm run bench [-- --quick] [-- <part> …]`: one run of all figures, or of some parts, without a file. */
import { parseArgs } from 'node:util';
import { FULL, QUICK, type Effort, type Figures } from './figure.js';
import { busRoundTrips } from './figures/bus-round-trips.js';
import { cachedCheck } from './figures/cached-check.js';
import { forwardCheck } from './figures/forward-check.js';
import { kickLatency } from './figures/kick-latency.js';
import { memory } from './figures/memory.js';
import { opensWithLimit } from './figures/opens-with-limit.js';
import { parseCost } from './figures/parse-cost.js';
import { recheck } from './figures/recheck.js';
import { recheckOutage } from './figures/recheck-outage.js';
import { recheckOutageVirtual } from './figures/recheck-outage-virtual.js';
import { recheckVirtual } from './figures/recheck-virtual.js';
import { refresh } from './figures/refresh.js';
import { rules } from './figures/rules.js';
import { sessionsPage } from './figures/sessions-page.js';
import { startToFirstAnswer } from './figures/start-to-first-answer.js';
import { uncachedCheck } from './figures/uncached-check.js';
import { machine, versions } from './machine.js';
import { rounded, table, writeResults } from './report.js';

const PARTS: Readonly<Record<string, (effort: Effort) => Promise<Figures>>> = {
  cachedCheck,
  forwardCheck,
  uncachedCheck,
  busRoundTrips,
  memory,
  opensWithLimit,
  kickLatency,
  sessionsPage,
  refreshPer100k: refresh,
  recheck,
  recheckOutage,
  recheckOutageVirtual,
  rules,
  parseCost,
  startToFirstAnswer,
};
/** Only where they are asked for: it takes as long as several others, and says whether something holds, not how fast it is. */
const BY_NAME: typeof PARTS = { recheckVirtual };
/** From dist/bench/src/. */
const RESULTS = new URL('../../../bench/results/', import.meta.url);

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean' }, only: { type: 'string' } },
  allowPositionals: true,
});
const effort = values.quick === true ? QUICK : FULL;
/** Some parts: `--only=a,b`, or simply `a b`. */
const asked = [...(values.only?.split(',') ?? []), ...positionals];
const names = asked.length > 0 ? asked : Object.keys(PARTS);
const parts = { ...PARTS, ...BY_NAME };
const unknown = names.filter((name) => parts[name] === undefined);
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}

const about = { date: new Date().toISOString(), effort, machine: machine(), versions: versions() };
const figures: Record<string, Figures[string]> = {};
for (const name of names) {
  process.stderr.write(`${name} …\n`);
  Object.assign(figures, await parts[name]!(effort));
}
process.stdout.write(`\n${table(figures)}`);
if (asked.length === 0) {
  writeResults(RESULTS, { ...figures, ...about });
  process.stderr.write(`\nonly by --only: ${Object.keys(BY_NAME).join(', ')} (a minute or two)\n`);
} else process.stdout.write(`\n${JSON.stringify(figures, rounded, 2)}\n`);
process.exit();
