import { type RedisClient, breakerKey, decodeName, encodeName, script } from '#usher/redis';
import type { Ballot, BallotBox, BreakerKeeper } from './keeper.js';
import { type BreakerRecord, type Turn, UNWRITTEN, isRecord } from './record.js';
import type { Opinion } from './sensor.js';

const LOOK = script(import.meta.url, './look-2.lua');
const TURN = script(import.meta.url, './turn-3.lua');
const DROP_LEASE = script(import.meta.url, './drop-lease-1.lua');

const OPINIONS: ReadonlySet<string> = new Set<Opinion>(['good', 'bad', 'failing']);

/** Keeps one backend's record for the cluster. Methods reject as RedisClient does. */
export class RedisKeeper implements BreakerKeeper {
  readonly #record: string;
  readonly #votes: string;
  readonly #lease: string;

  constructor(
    private readonly redis: Pick<RedisClient, 'call' | 'run'>,
    backend: string,
    private readonly node: string,
  ) {
    this.#record = breakerKey(backend);
    this.#votes = breakerKey(backend, 'votes');
    this.#lease = breakerKey(backend, 'lease');
  }

  async look(ballot?: Ballot): Promise<BallotBox> {
    const reply = await this.redis.run(LOOK, [this.#record, this.#votes], [...castOf(ballot)]);
    const [record, votes] = Array.isArray(reply) ? (reply as unknown[]) : [];
    return { record: readRecord(fieldsOf(record)), ballots: readBallots(fieldsOf(votes)) };
  }

  async turn(from: number, next: Turn, lease = ''): Promise<BreakerRecord | undefined> {
    const keys = [this.#record, this.#votes, this.#lease];
    const { state, rateBefore, goodProbes, step } = next;
    const args = [from, state, rateBefore.toFixed(1), goodProbes, step, this.node, lease];
    const fields = fieldsOf(await this.redis.run(TURN, keys, args));
    return fields.size === 0 ? undefined : readRecord(fields);
  }

  async takeLease(lease: string, ms: number): Promise<boolean> {
    return (await this.redis.call('SET', [this.#lease, lease, 'NX', 'PX', Math.ceil(ms)])) === 'OK';
  }

  async dropLease(lease: string): Promise<void> {
    await this.redis.run(DROP_LEASE, [this.#lease], [lease]);
  }
}

function castOf(ballot: Ballot | undefined): readonly [string, string] {
  if (ballot === undefined) return ['', ''];
  const { host, node, opinion, calls, rate } = ballot;
  return [`${encodeName(host)}/${encodeName(node)}`, `${opinion}:${calls}:${rate.toFixed(1)}`];
}

function fieldsOf(reply: unknown): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  if (!Array.isArray(reply)) return fields;
  for (let place = 0; place + 1 < reply.length; place += 2) {
    fields.set(String(reply[place]), String(reply[place + 1]));
  }
  return fields;
}

/** What this version cannot read it takes for unwritten. */
function readRecord(fields: ReadonlyMap<string, string>): BreakerRecord {
  const number = (field: string): number => Number(fields.get(field));
  const record = {
    state: fields.get('state'),
    epoch: number('epoch'),
    since: number('since'),
    downSince: number('downSince'),
    rateBefore: number('rateBefore'),
    goodProbes: number('goodProbes'),
    step: number('step'),
    by: fields.get('by') ?? '',
  };
  return isRecord(record) ? record : UNWRITTEN;
}

function readBallots(fields: ReadonlyMap<string, string>): Ballot[] {
  const ballots: Ballot[] = [];
  for (const [field, value] of fields) {
    const [host = '', node = ''] = field.split('/').map(decodeName);
    const [opinion = '', calls, rate] = value.split(':');
    if (!OPINIONS.has(opinion)) continue;
    ballots.push({
      host,
      node,
      opinion: opinion as Opinion,
      calls: Number(calls) || 0,
      rate: Number(rate) || 0,
    });
  }
  return ballots;
}
