import { readFileSync } from 'node:fs';
import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { writeTogether } from './write-together.js';

/** Where Redis is, as the configuration's `redis` section says it. */
export interface RedisSettings {
  /** redis://[user:password@]host:port[/db], rediss:// (TLS); nodes of a Cluster separated by commas. */
  readonly url?: string;
  /** host:port of Sentinels. The URL then gives only credentials, database and TLS. */
  readonly sentinels?: readonly string[];
  /** The Sentinels' name of the master. Default `usher`. */
  readonly master?: string;
  readonly cluster?: boolean;
  /** For one command, ms. Default 30. */
  readonly timeout?: number;
  /** File with the certificate authorities to trust, PEM. */
  readonly ca?: string;
  /** Accept any certificate. */
  readonly insecure?: boolean;
}

export type Connection = Redis | Cluster;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Settings read, checked and complete: every later connection is opened from it without a further error. */
export interface Target {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly addresses: readonly Address[];
  readonly master: string;
  readonly access: Pick<RedisOptions, 'username' | 'password' | 'db' | 'tls'>;
}

const DEFAULT_PORT = 6379;

/** Reads the settings. Throws an Error that names the setting. */
export function readTarget(settings: RedisSettings): Target {
  const urls = (settings.url ?? '').split(',').filter((part) => part.trim() !== '');
  const sentinels = settings.sentinels ?? [];
  if (urls.length === 0 && sentinels.length === 0) throw new Error('redis.url: an address is needed');
  const nodes = urls.map((part) => readUrl(part.trim()));
  const first = nodes[0];
  const cluster = settings.cluster === true;
  if (cluster && sentinels.length > 0) throw new Error('redis.sentinels: a Cluster has no Sentinels');
  if (!cluster && nodes.length > 1) {
    throw new Error('redis.url: several addresses are a Cluster; set redis.cluster: true');
  }
  if (cluster && nodes.some((node) => node.db !== 0))
    throw new Error('redis.url: a Cluster has database 0 only');
  const secure = nodes.some((node) => node.secure);
  if (!secure && settings.ca !== undefined) throw new Error('redis.ca: needs an address with rediss://');
  return {
    kind: cluster ? 'cluster' : sentinels.length > 0 ? 'sentinel' : 'single',
    addresses: sentinels.length > 0 ? sentinels.map(readAddress) : nodes,
    master: settings.master ?? 'usher',
    access: {
      username: first?.username,
      password: first?.password,
      db: first?.db ?? 0,
      ...(secure ? { tls: readTls(settings) } : {}),
    },
  };
}

/** Opens no socket yet (`lazyConnect`). RESP2: proxies and managed services all speak it, replies are the same. */
export function openConnection(target: Target, options: RedisOptions): Connection {
  return writeTogether(makeConnection(target, options));
}

function makeConnection(target: Target, options: RedisOptions): Connection {
  const { access, master } = target;
  const shared: RedisOptions = { protocol: 2, disableClientInfo: true, ...access, ...options };
  const { tls } = access;
  switch (target.kind) {
    case 'single':
      return new Redis({ ...shared, ...target.addresses[0], lazyConnect: true });
    case 'sentinel':
      return new Redis({
        ...shared,
        sentinels: [...target.addresses],
        name: master,
        sentinelRetryStrategy: options.sentinelRetryStrategy ?? (() => null),
        ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
        lazyConnect: true,
      });
    case 'cluster':
      return openCluster(target, shared);
  }
}

function openCluster(target: Target, { retryStrategy, enableOfflineQueue, ...node }: RedisOptions): Cluster {
  return new Cluster([...target.addresses], {
    lazyConnect: true,
    enableOfflineQueue: enableOfflineQueue ?? true,
    clusterRetryStrategy: retryStrategy ?? null,
    slotsRefreshTimeout: 1_000,
    maxRedirections: 5,
    redisOptions: node,
    // Certificates are for names: the nodes' own words about their addresses are not resolved by us.
    ...(node.tls === undefined ? {} : { dnsLookup: (address, callback) => callback(null, address) }),
  });
}

interface Node extends Address {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly secure: boolean;
}

function readUrl(text: string): Node {
  // The address may hold a password: the error does not repeat it.
  const wrong = new Error(
    'redis.url: an address such as redis://127.0.0.1:6379 or rediss://user:password@host:6380/0',
  );
  if (!URL.canParse(text)) throw wrong;
  const url = new URL(text);
  const db = /^\/?(\d*)$/.exec(url.pathname)?.[1];
  if (!['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '' || db === undefined) throw wrong;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db: Number(db),
    secure: url.protocol === 'rediss:',
  };
}

function readAddress(text: string): Address {
  const match = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) throw new Error(`redis.sentinels: ${text} is not host:port`);
  return { host: (match[1] ?? match[2])!, port: Number(match[3]) };
}

function readTls({ ca, insecure }: RedisSettings): NonNullable<RedisOptions['tls']> {
  try {
    return { rejectUnauthorized: insecure !== true, ...(ca === undefined ? {} : { ca: readFileSync(ca) }) };
  } catch (error) {
    throw new Error(`redis.ca: ${ca} cannot be read`, { cause: error });
  }
}
