import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadConfig } from '#usher/config';
import { silentLog, type RuleChain, type RuleInput } from '#usher/domain';
import { createRules, type RunningRules } from '#usher/rules';
import type { Effort, Figures } from '../figure.js';
import { compared, inTurns } from '../pairs.js';

const NETWORKS = 100_000;
/** Of ten networks one is of IPv6. */
const V6_IN = 10;
/** Addresses that are asked about in turn: more than a processor's caches hold of the list. */
const ASKED = 65_536;
const BATCH = 10_000;

/** Checks/s that a chain with a list of 100,000 networks decides, beside one without any rule. */
export async function rules(effort: Effort): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'usher-bench-rules-'));
  try {
    const random = pseudoRandom();
    const lines = Array.from(
      { length: NETWORKS },
      (_, at) => `${at % 2 === 0 ? 'deny' : 'pass'} ${network(random, at)}`,
    );
    writeFileSync(join(folder, 'list'), `${lines.join('\n')}\n`);
    const loaded = await load(folder);
    try {
      return { ruleLookups: await measured(effort, loaded, lines, random) };
    } finally {
      await loaded.running.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Loaded {
  readonly running: RunningRules;
  readonly seconds: number;
  readonly bytes: number;
}

async function load(folder: string): Promise<Loaded> {
  const target = 'backend: portal';
  writeFileSync(
    join(folder, 'usher.yaml'),
    `backends: { portal: { type: http, url: http://127.0.0.1/ } }
routes: [{ ${target}, rules: { ip: { file: list } } }, { ${target}, rules: { otherwise: pass } }]\n`,
  );
  const { config } = loadConfig({ env: {}, cwd: folder });
  const before = heldBytes();
  const start = performance.now();
  const clock = { monotonic: () => performance.now(), now: () => Date.now() };
  const running = await createRules(config, { clock, log: silentLog });
  const seconds = (performance.now() - start) / 1000;
  return { running, seconds, bytes: heldBytes() - before };
}

async function measured(
  { repetitions, seconds, warm }: Effort,
  { running, seconds: loadSeconds, bytes }: Loaded,
  lines: readonly string[],
  random: () => number,
): Promise<Figures[string]> {
  const asked = Array.from({ length: ASKED }, (_, at) => checkOf(at, lines, random));
  const [listed, empty] = [running.ofRoute(0)!, running.ofRoute(1)!];
  for (const chain of [listed, empty]) rate(chain, asked, warm);
  const run = (chain: RuleChain) => () => Promise.resolve(rate(chain, asked, seconds / 4));
  const pairs = await inTurns(repetitions, run(listed), run(empty));
  const denied = asked.filter((one) => listed.refusal(one) !== undefined).length;
  if (denied < ASKED / 8 || denied > ASKED / 2) throw new Error(`${denied} of ${ASKED} were refused`);
  return {
    ...compared(pairs),
    unit: 'checks/s',
    besideWhat: 'no rule',
    details: {
      networks: NETWORKS,
      loadSeconds,
      bytesPerNetwork: bytes / NETWORKS,
      megabytes: bytes / 1e6,
      denied,
    },
  };
}

/** Every second one is in a network of the list. */
function checkOf(at: number, lines: readonly string[], random: () => number): RuleInput {
  const within = lines[Math.floor(random() * lines.length)]!.split(/[ /]/)[1]!;
  const ip = at % 2 === 0 ? within : octets(random, 4).join('.');
  const path = '/play/a001/index.m3u8';
  return {
    edge: 'astra-1',
    channel: 'a001',
    path,
    ip,
    userAgent: 'VLC/3',
    host: 'tv.example',
    query: 'token=1',
  };
}

/** What it would answer must not be known to the compiler: the outcomes are counted. */
function rate(chain: RuleChain, asked: readonly RuleInput[], seconds: number): number {
  const start = performance.now();
  let done = 0;
  let decided = 0;
  let elapsed = 0;
  while (elapsed < seconds) {
    for (let i = 0; i < BATCH; i += 1) {
      const outcome = chain.decide(asked[(done + i) % ASKED]!);
      if ('kind' in outcome) decided += 1;
    }
    done += BATCH;
    elapsed = (performance.now() - start) / 1000;
  }
  if (decided !== done) throw new Error('some had to be waited for');
  return done / elapsed;
}

function network(random: () => number, at: number): string {
  if (at % V6_IN === 0) {
    const groups = Array.from({ length: 3 }, () => Math.floor(random() * 65_536).toString(16));
    return `2001:${groups.join(':')}::/${48 + Math.floor(random() * 17)}`;
  }
  return `${octets(random, 4).join('.')}/${16 + Math.floor(random() * 17)}`;
}

const octets = (random: () => number, count: number): number[] =>
  Array.from({ length: count }, () => Math.floor(random() * 256));

/** The same ones in every run. */
function pseudoRandom(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What typed arrays hold after a collection: the list is in them, and little else is. */
function heldBytes(): number {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  for (let times = 0; times < 3; times += 1) collect();
  return process.memoryUsage().arrayBuffers;
}
