/**
 * What travels: an entry has one JSON document in its field `m`, the data in it (encoded and decoded once); data that is
 * bytes travels beside it as it is, in a field `b`. Readers ignore what they do not know; `v` is raised only when an
 * older reader must not go on.
 */
export const VERSION = 1;

/** JSON ('' for undefined), or bytes. */
export interface EncodedData {
  readonly json: string;
  readonly bytes: Buffer | undefined;
}

/** Throws TypeError for what JSON cannot hold (a cycle, a BigInt). */
export function encodeData(data: unknown): EncodedData {
  if (data instanceof Uint8Array) return { json: '', bytes: Buffer.from(data) };
  return { json: (JSON.stringify(data) as string | undefined) ?? '', bytes: undefined };
}

export type Metadata = Readonly<Record<string, string>>;

interface Envelope {
  readonly v: number;
  readonly from: string;
}

interface Loaded extends Envelope {
  readonly meta?: Metadata;
  readonly data?: unknown;
  /** The data is in the field `b`. */
  readonly bytes?: true;
}

export interface RequestEnvelope extends Loaded {
  /** Counted by the asker, who is `from` and reads the replies. */
  readonly id: number;
  /** Cluster time, ms: not to be taken after it. */
  readonly by: number;
  /** Cluster time, ms: nobody waits for the reply after it. */
  readonly until: number;
  /** Once taken, its asker wants to hear of it within this, again and again until it is answered, ms. */
  readonly heard?: number;
}

export interface EventEnvelope extends Loaded {
  readonly event: string;
}

/** `more`: values of a stream follow; `end`: the last one, or none; `error`: the data is the error. */
export type ReplyKind = 'more' | 'end' | 'error';

/** Without data, with JSON, or with bytes, which are in the next `b`. */
export type ReplyRow =
  | readonly [id: number, kind: ReplyKind]
  | readonly [id: number, kind: ReplyKind, data: unknown]
  | readonly [id: number, kind: ReplyKind, data: null, as: 'bytes'];

/** All that a server has for one asker in one tick. */
export interface ReplyEnvelope extends Envelope {
  /** Requests taken, and not answered in this same entry; those that want it are told again while they are worked at. */
  readonly taken: readonly number[];
  readonly replies: readonly ReplyRow[];
}

/** Built by hand, since there is one for every request: half the time of JSON.stringify. */
export function writeRequest(
  request: Pick<RequestEnvelope, 'id' | 'from' | 'by' | 'until' | 'heard' | 'meta'>,
  data: EncodedData,
): string {
  const { id, from, by, until, heard, meta } = request;
  const signs = heard === undefined ? '' : `,"heard":${heard}`;
  return `{"v":${VERSION},"id":${id},"from":"${from}","by":${by},"until":${until}${signs}${tail(meta, data)}`;
}

export function writeEvent(event: Pick<EventEnvelope, 'event' | 'from' | 'meta'>, data: EncodedData): string {
  const name = JSON.stringify(event.event);
  return `{"v":${VERSION},"event":${name},"from":"${event.from}"${tail(event.meta, data)}`;
}

function tail(meta: Metadata | undefined, { json, bytes }: EncodedData): string {
  const about = meta === undefined ? '' : `,"meta":${JSON.stringify(meta)}`;
  if (bytes !== undefined) return `${about},"bytes":true}`;
  return json === '' ? `${about}}` : `${about},"data":${json}}`;
}

export function writeReplyRow(id: number, kind: ReplyKind, { json, bytes }: EncodedData): string {
  if (bytes !== undefined) return `[${id},"${kind}",null,"bytes"]`;
  return json === '' ? `[${id},"${kind}"]` : `[${id},"${kind}",${json}]`;
}

const M = 'm'.charCodeAt(0);

/** Throws SyntaxError where the entry is not ours. */
export function readEnvelope<T extends Envelope>(fields: readonly Buffer[]): T {
  const [name, text] = fields;
  if (name?.length !== 1 || name[0] !== M || text === undefined)
    throw new SyntaxError('not an entry of the bus');
  const envelope = JSON.parse(text.toString()) as T | null;
  if (typeof envelope?.v !== 'number') throw new SyntaxError('an entry without a version');
  return envelope;
}

export function dataOf(envelope: Loaded, fields: readonly Buffer[]): unknown {
  return envelope.bytes === true ? (fields[3] ?? Buffer.alloc(0)) : envelope.data;
}

/** Speaks only a newer language than we do. */
export const isTooNew = (envelope: Envelope): boolean => envelope.v > VERSION;
