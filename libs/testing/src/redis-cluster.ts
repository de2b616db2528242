import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { startRedis } from './redis-process.js';
import type { RedisProcess } from './redis-process.js';

const SLOTS = 16_384;

/** A Redis Cluster of masters only: for what must stay in one slot. */
export interface RedisClusterProcess {
  readonly nodes: readonly RedisProcess[];
  /** All nodes, separated by commas. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts `masters` empty nodes, joins them, and waits until every node takes the cluster for whole. */
export async function startRedisCluster(masters = 3): Promise<RedisClusterProcess> {
  const busPorts = await Promise.all(Array.from({ length: masters }, freePort));
  const nodes = await Promise.all(busPorts.map(startNode));
  const first = nodes[0]!;
  for (const [index, node] of nodes.entries()) {
    const from = Math.floor((index * SLOTS) / masters);
    const to = Math.floor(((index + 1) * SLOTS) / masters) - 1;
    await node.cli('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    await node.cli('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    if (node !== first) {
      await node.cli('CLUSTER', 'MEET', '127.0.0.1', String(first.port), String(busPorts[0]));
    }
  }
  for (const node of nodes) await eventually(() => isWhole(node, masters), { withinMs: 20_000, everyMs: 30 });
  return {
    nodes,
    url: nodes.map((node) => node.url).join(','),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

function startNode(busPort: number): Promise<RedisProcess> {
  // The bus port by itself would be port + 10,000, which nobody keeps free; a lone node does not know its own address.
  const args = [
    '--cluster-enabled',
    'yes',
    '--cluster-announce-ip',
    '127.0.0.1',
    '--cluster-node-timeout',
    '2000',
  ];
  return startRedis({ args: [...args, '--cluster-port', String(busPort)] });
}

async function isWhole(node: RedisProcess, masters: number): Promise<boolean> {
  const info = await node.cli('CLUSTER', 'INFO');
  return info.includes('cluster_state:ok') && info.includes(`cluster_size:${masters}`);
}
