import { timingSafeEqual, createHash } from 'node:crypto';
import type { Config, EdgeConfig } from '#usher/config';
import type { DialectName } from '#usher/domain';
import { networkTest, type NetworkTest } from './networks.js';

/** What an edge asks for by its path. */
export type EdgeAction = 'check' | 'closed';

export interface KnownEdge {
  readonly kind: 'edge';
  readonly name: string;
  readonly dialect: DialectName;
  readonly action: EdgeAction;
  /** Milliseconds, where the edge gives up earlier than our own deadline. */
  readonly deadline: number | undefined;
}

export interface UnknownEdge {
  readonly kind: 'unknown';
  /** What to tell whoever reads the answer. */
  readonly sentence: string;
}

interface Entry {
  readonly name: string;
  readonly config: EdgeConfig;
  readonly isAddress: NetworkTest;
  readonly secret: Buffer | undefined;
}

const PREFIX = '/e/';
const ACTIONS: ReadonlySet<string> = new Set<EdgeAction>(['check', 'closed']);
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** Names the asking edge: by its URL, else by its source address. */
export class EdgeDirectory {
  private readonly edges: ReadonlyMap<string, Entry>;
  private readonly mayAsk: NetworkTest;

  /** `edgesFrom` says who may ask while no edge is configured. */
  constructor(edges: Config['edges'], edgesFrom: readonly string[]) {
    this.mayAsk = networkTest(edgesFrom, 'gateway.edgesFrom');
    this.edges = new Map(Object.entries(edges).map(([name, config]) => [name, entry(name, config)]));
  }

  /** No edge is configured: whoever asks from `edgesFrom` is one. Said at the start. */
  get isOpen(): boolean {
    return this.edges.size === 0;
  }

  /** `path` is without the query; `address` is the asker's. */
  resolve(path: string, address: string): KnownEdge | UnknownEdge {
    if (!path.startsWith(PREFIX)) return this.byAddress(address);
    const parts = path.slice(PREFIX.length).split('/');
    const action = parts.at(-1) ?? '';
    if ((parts.length !== 2 && parts.length !== 3) || !ACTIONS.has(action)) {
      // The path is not said back: it may hold an edge's secret.
      return unknown(
        `${address} asks an address that is none of ours: an edge asks /e/<edge>/check or /e/<edge>/<secret>/check`,
      );
    }
    return this.byUrl(
      parts[0] ?? '',
      parts.length === 3 ? parts[1]! : undefined,
      action as EdgeAction,
      address,
    );
  }

  private byUrl(
    name: string,
    secret: string | undefined,
    action: EdgeAction,
    address: string,
  ): KnownEdge | UnknownEdge {
    if (this.isOpen) {
      return NAME.test(name)
        ? this.openly(name, action, address)
        : unknown('an edge’s name starts with a letter or digit, and has letters, digits, . _ @ -');
    }
    const found = this.edges.get(name);
    if (found === undefined)
      return unknown(`${address} asks as an edge that is not configured: add it under edges`);
    if (!isSecret(found.secret, secret)) {
      return unknown(`${address} asks as ${name} without its secret: edges.${name}.secret`);
    }
    if (found.config.addresses.length > 0 && !found.isAddress(address) && found.secret === undefined) {
      return unknown(`${address} asks as ${name} but is not in edges.${name}.addresses`);
    }
    return known(found, action);
  }

  private byAddress(address: string): KnownEdge | UnknownEdge {
    if (this.isOpen) return this.openly(address, 'check', address);
    for (const found of this.edges.values()) {
      // An edge with a secret is named by its URL only.
      if (found.secret === undefined && found.isAddress(address)) return known(found, 'check');
    }
    return unknown(
      `${address} is not a configured edge: add it to edges.<name>.addresses, or let it ask /e/<edge>/check`,
    );
  }

  private openly(name: string, action: EdgeAction, address: string): KnownEdge | UnknownEdge {
    return this.mayAsk(address)
      ? { kind: 'edge', name, dialect: 'astra', action, deadline: undefined }
      : unknown(
          `${address} is not a private address and no edge is configured: add it to edges.<name>.addresses`,
        );
  }
}

function entry(name: string, config: EdgeConfig): Entry {
  return {
    name,
    config,
    isAddress: networkTest(config.addresses, `edges.${name}.addresses`),
    secret: config.secret === undefined ? undefined : hashed(config.secret),
  };
}

const hashed = (text: string): Buffer => createHash('sha256').update(text).digest();

/** In constant time: the hashes have one length. */
function isSecret(expected: Buffer | undefined, given: string | undefined): boolean {
  if (expected === undefined) return given === undefined;
  return given !== undefined && timingSafeEqual(expected, hashed(given));
}

function known({ name, config }: Entry, action: EdgeAction): KnownEdge {
  return { kind: 'edge', name, dialect: config.dialect, action, deadline: config.deadline };
}

function unknown(sentence: string): UnknownEdge {
  return { kind: 'unknown', sentence };
}
