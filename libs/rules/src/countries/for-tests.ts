import { readNetwork } from '../addresses/address.js';

/** A value of the format: maps, texts, whole numbers and lists are what databases of countries consist of. */
type Value = string | number | readonly Value[] | { readonly [key: string]: Value };

interface Node {
  left?: Node | number;
  right?: Node | number;
}

const RECORD_BITS = 24;

/** Writes an MMDB file (https://maxmind.github.io/MaxMind-DB/): what is known about networks, IPv4 and IPv6. */
export function mmdb(
  networks: Readonly<Record<string, Value>>,
  { type = 'Test-Country', ipVersion = 6 }: { type?: string; ipVersion?: 4 | 6 } = {},
): Buffer {
  const data: Buffer[] = [];
  let dataLength = 0;
  const root: Node = {};
  for (const [network, value] of Object.entries(networks)) {
    const record = encoded(value);
    insert(root, bitsOf(network, ipVersion), dataLength);
    data.push(record);
    dataLength += record.length;
  }
  const nodes = numbered(root);
  const tree = Buffer.concat(Array.from(nodes.keys(), (node) => nodeBytes(node, nodes)));
  const metadata = encoded({
    node_count: nodes.size,
    record_size: RECORD_BITS,
    ip_version: ipVersion,
    database_type: type,
    languages: ['en'],
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_767_225_600,
    description: { en: 'made by a test' },
  });
  const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
  return Buffer.concat([tree, Buffer.alloc(16), ...data, marker, metadata]);
}

/** IPv4 lies at the start of IPv6's tree, below 96 zeros. */
function bitsOf(network: string, ipVersion: 4 | 6): readonly number[] {
  const { family, words, bits } = readNetwork(network)!;
  const own = Array.from({ length: bits }, (_, bit) => (words[bit >>> 5]! >>> (31 - (bit & 31))) & 1);
  return family === 4 && ipVersion === 6 ? [...Array<number>(96).fill(0), ...own] : own;
}

function insert(root: Node, bits: readonly number[], offset: number): void {
  let node = root;
  for (const [at, bit] of bits.entries()) {
    const side = bit === 0 ? 'left' : 'right';
    if (at === bits.length - 1) node[side] = offset;
    else {
      const next = node[side];
      const below: Node = typeof next === 'object' ? next : {};
      node[side] = below;
      node = below;
    }
  }
}

function numbered(root: Node): Map<Node, number> {
  const nodes = new Map<Node, number>();
  const visit = (node: Node): void => {
    nodes.set(node, nodes.size);
    for (const child of [node.left, node.right]) if (typeof child === 'object') visit(child);
  };
  visit(root);
  return nodes;
}

function nodeBytes(node: Node, nodes: ReadonlyMap<Node, number>): Buffer {
  const bytes = Buffer.alloc(6);
  for (const [at, child] of [node.left, node.right].entries()) {
    const pointer =
      child === undefined
        ? nodes.size
        : typeof child === 'number'
          ? nodes.size + 16 + child
          : nodes.get(child)!;
    bytes.writeUIntBE(pointer, at * 3, 3);
  }
  return bytes;
}

function encoded(value: Value): Buffer {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    return Buffer.concat([control(2, bytes.length), bytes]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([control(6, 4), bytes]);
  }
  if (Array.isArray(value)) {
    return Buffer.concat([control(11, value.length), ...value.map((one: Value) => encoded(one))]);
  }
  const entries = Object.entries(value);
  return Buffer.concat([
    control(7, entries.length),
    ...entries.flatMap(([key, inner]) => [encoded(key), encoded(inner)]),
  ]);
}

/** Type and size; sizes from 29 on take a further byte. */
function control(type: number, size: number): Buffer {
  const short = Math.min(size, 29);
  const head = type < 8 ? [(type << 5) | short] : [short, type - 7];
  return Buffer.from(size < 29 ? head : [...head, size - 29]);
}
