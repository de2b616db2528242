import { timingSafeEqual, createHash } from 'node:crypto';
import { configSchema, type Config, type EdgeConfig } from '#usher/config';
import { DIALECTS, type Dialect, type DialectType } from '#usher/dialects';
import { networkTest, type NetworkTest } from './networks.js';

/** What an edge asks for by its path: a check, in whatever language, or Astra's webhook. */
export type EdgeAction = 'check' | 'closed';

export interface KnownEdge {
  readonly kind: 'edge';
  readonly name: string;
  readonly type: DialectType;
  /** `type` as this edge speaks it. */
  readonly dialect: Dialect;
  readonly action: EdgeAction;
  /** What stands behind the dialect's name in the path, `/` first; else empty. */
  readonly rest: string;
  /** It is one of `edges.<name>.addresses`. */
  readonly isAddress: NetworkTest;
  /** Named by who asks, not by the URL. */
  readonly isByAddress: boolean;
  /** Milliseconds: it relies on an answer for so long at most. */
  readonly ttl: number;
  /** Milliseconds: what shows no credentials goes on with a session that was seen within it. */
  readonly follow: number;
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
  /** By the word in the path. */
  readonly spoken: ReadonlyMap<string, Spoken>;
}

type Spoken = Pick<KnownEdge, 'type' | 'dialect' | 'action'>;

const PREFIX = '/e/';
const CHECK = 'check';
/** What is asked at an address without prefix, or of an edge that is not configured. */
const UNCONFIGURED: EdgeConfig = configSchema.parse({ edges: { any: {} } }).edges['any']!;
/** Languages with an address of their own. */
const LANGUAGES = Object.values(DIALECTS)
  .filter(({ hasAddress }) => hasAddress)
  .map(({ name }) => name);
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** Names the asking edge: by its URL, else by its source address. */
export class EdgeDirectory {
  private readonly edges: ReadonlyMap<string, Entry>;
  private readonly mayAsk: NetworkTest;
  private readonly any = entry('any', UNCONFIGURED);

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
    const [name = '', ...words] = path.slice(PREFIX.length).split('/');
    const found = this.isOpen ? this.unconfigured(name, address) : this.configured(name, words, address);
    if ('kind' in found) return found;
    // A secret stands before the dialect's name.
    const at = found.secret === undefined ? 0 : 1;
    const spoken = found.spoken.get(words[at] ?? '');
    const rest = words.slice(at + 1);
    if (spoken === undefined || (rest.length > 0 && !spoken.type.hasPaths)) return noAddressOfOurs(address);
    return known(found, spoken, rest.length === 0 ? '' : `/${rest.join('/')}`);
  }

  private unconfigured(name: string, address: string): Entry | UnknownEdge {
    if (!NAME.test(name)) {
      return unknown('an edge’s name starts with a letter or digit, and has letters, digits, . _ @ -');
    }
    return this.mayAsk(address) ? { ...this.any, name } : notPrivate(address);
  }

  private configured(name: string, words: readonly string[], address: string): Entry | UnknownEdge {
    const found = this.edges.get(name);
    if (found === undefined)
      return unknown(`${address} asks as an edge that is not configured: add it under edges`);
    if (found.secret !== undefined) {
      if (words.length > 1 && isSecret(found.secret, words[0]!)) return found;
      return unknown(`${address} asks as ${name} without its secret: edges.${name}.secret`);
    }
    if (found.config.addresses.length > 0 && !found.isAddress(address)) {
      return unknown(`${address} asks as ${name} but is not in edges.${name}.addresses`);
    }
    return found;
  }

  private byAddress(address: string): KnownEdge | UnknownEdge {
    if (this.isOpen) {
      return this.mayAsk(address) ? knownByAddress({ ...this.any, name: address }) : notPrivate(address);
    }
    for (const found of this.edges.values()) {
      // An edge with a secret is named by its URL only.
      if (found.secret === undefined && found.isAddress(address)) return knownByAddress(found);
    }
    return unknown(
      `${address} is not a configured edge: add it to edges.<name>.addresses, or let it ask /e/<edge>/check`,
    );
  }
}

function entry(name: string, config: EdgeConfig): Entry {
  return {
    name,
    config,
    isAddress: networkTest(config.addresses, `edges.${name}.addresses`),
    secret: config.secret === undefined ? undefined : hashed(config.secret),
    spoken: spokenBy(config),
  };
}

/** The language is pinned by the address that the edge is configured with, never guessed. */
function spokenBy(config: EdgeConfig): ReadonlyMap<string, Spoken> {
  const own = DIALECTS[config.dialect];
  const check: Spoken = { type: own, dialect: own.speak(config), action: 'check' };
  const named = LANGUAGES.map((name): [string, Spoken] => [
    name,
    { type: DIALECTS[name], dialect: DIALECTS[name].speak(config), action: 'check' },
  ]);
  return new Map([[CHECK, check], ['closed', { ...check, action: 'closed' }], ...named]);
}

const hashed = (text: string): Buffer => createHash('sha256').update(text).digest();

/** In constant time: the hashes have one length. */
function isSecret(expected: Buffer, given: string): boolean {
  return timingSafeEqual(expected, hashed(given));
}

function known({ name, config, isAddress }: Entry, spoken: Spoken, rest: string): KnownEdge {
  const { type, dialect, action } = spoken;
  const { ttl, deadline = dialect.deadline ?? type.deadline } = config;
  return {
    kind: 'edge',
    name,
    type,
    dialect,
    action,
    rest,
    isAddress,
    isByAddress: false,
    ttl,
    follow: config.forward.follow,
    deadline,
  };
}

/** Any path is a check there, in the edge's own language. */
function knownByAddress(entry: Entry): KnownEdge {
  return { ...known(entry, entry.spoken.get(CHECK)!, ''), isByAddress: true };
}

function unknown(sentence: string): UnknownEdge {
  return { kind: 'unknown', sentence };
}

function notPrivate(address: string): UnknownEdge {
  return unknown(
    `${address} is not a private address and no edge is configured: add it to edges.<name>.addresses`,
  );
}

/** The path is not said back: it may hold an edge's secret. */
function noAddressOfOurs(address: string): UnknownEdge {
  const languages = [CHECK, ...LANGUAGES].join(', ');
  return unknown(
    `${address} asks an address that is none of ours: an edge asks /e/<edge>/<language> or /e/<edge>/<secret>/<language>, with a language of ${languages}`,
  );
}
