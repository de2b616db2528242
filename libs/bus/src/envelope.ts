/**
 * What travels. An entry has a header `h` (JSON, small) and the data `d`, encoded once. Readers ignore fields that they
 * do not know; `v` is raised only when an older reader must not go on.
 */
export const VERSION = 1;

/** How the data is encoded: JSON, a string as it is, bytes as they are, or there is none (undefined). */
export type DataKind = 'json' | 'text' | 'bytes' | 'none';

export interface EncodedData {
  readonly as: DataKind;
  readonly body: string | Buffer;
}

const NOTHING: EncodedData = { as: 'none', body: '' };

/** Throws TypeError for what JSON cannot hold (a cycle, a BigInt). */
export function encodeData(data: unknown): EncodedData {
  if (typeof data === 'string') return { as: 'text', body: data };
  if (data instanceof Uint8Array) {
    return { as: 'bytes', body: Buffer.isBuffer(data) ? data : Buffer.from(data) };
  }
  const body = JSON.stringify(data) as string | undefined;
  return body === undefined ? NOTHING : { as: 'json', body };
}

/** Throws SyntaxError for broken JSON. */
export function decodeData(as: DataKind, body: Buffer | undefined): unknown {
  switch (as) {
    case 'json':
      return JSON.parse(body!.toString());
    case 'text':
      return body!.toString();
    case 'bytes':
      return body;
    case 'none':
      return undefined;
    default:
      throw new SyntaxError(`unknown encoding ${String(as satisfies never)}`);
  }
}

export type Metadata = Readonly<Record<string, string>>;

export interface RequestHeader {
  readonly v: number;
  /** Counted by the asker. */
  readonly id: number;
  /** The asker, who reads the replies. */
  readonly from: string;
  /** Cluster time, ms: not to be taken after it. */
  readonly by: number;
  /** Cluster time, ms: nobody waits for the reply after it. */
  readonly until: number;
  readonly as: DataKind;
  readonly meta?: Metadata;
}

/** Written by hand, since it is written for every request: half the time of JSON.stringify. */
export function writeRequestHeader(header: Omit<RequestHeader, 'v'>): string {
  const meta = header.meta === undefined ? '' : `,"meta":${JSON.stringify(header.meta)}`;
  return `{"v":${VERSION},"id":${header.id},"from":"${header.from}","by":${header.by},"until":${header.until},"as":"${header.as}"${meta}}`;
}

export interface EventHeader {
  readonly v: number;
  readonly event: string;
  readonly from: string;
  readonly as: DataKind;
  readonly meta?: Metadata;
}

/** `more`: values of a stream follow; `end`: the last one, or none; `error`: the data is the error. */
export type ReplyKind = 'more' | 'end' | 'error';

export type ReplyRow = readonly [id: number, kind: ReplyKind, as: DataKind];

/** One entry holds what a server has for one asker in one tick; a `d` field for each reply that has data, in order. */
export interface ReplyHeader {
  readonly v: number;
  readonly from: string;
  /** Requests taken, and not answered in this same entry. */
  readonly taken: readonly number[];
  readonly replies: readonly ReplyRow[];
}

/** Throws SyntaxError where the entry is not ours. */
export function readHeader<T extends { readonly v: number }>(fields: readonly Buffer[]): T {
  const text = fields[0]?.toString() === 'h' ? fields[1] : undefined;
  const header = text === undefined ? undefined : (JSON.parse(text.toString()) as T | null);
  if (typeof header?.v !== 'number') throw new SyntaxError('an entry without a header');
  return header;
}

/** Speaks only a newer language than we do. */
export const isTooNew = (header: { readonly v: number }): boolean => header.v > VERSION;
