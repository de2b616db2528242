/** Of an answer that is no success so much is read; the rest is cut off. */
const MAX_ERROR_BODY = 4 * 1024;

/** An edge's own API, as it is configured. */
export interface EdgeApi {
  readonly url: string;
  /** Basic auth; without a user none is sent. */
  readonly user?: string;
  readonly password?: string;
}

/** One request to an edge. */
export interface EdgeRequest {
  readonly method: string;
  /** Without credentials. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface EdgeAnswer {
  readonly status: number;
  /** As UTF-8. */
  readonly body: string;
}

export interface CallLimits {
  /** For the whole exchange, ms. */
  readonly timeout: number;
  /** A longer body of a 2xx is refused, bytes. 0: the body is of no interest, and left unread. */
  readonly maxBytes: number;
  /** Ends the call early. */
  readonly signal?: AbortSignal;
}

/** There was no answer, or no end to it. The message is for people: it holds the address, and no credentials. */
export class EdgeCallError extends Error {
  readonly code = 'EDGE_CALL';
  override readonly name = 'EdgeCallError';

  constructor(
    place: string,
    /** The message without the address. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`${place}: ${reason}`, options);
  }
}

/**
 * The address without credentials, and the header that carries them: those given apart, else those in the address.
 * Throws where the address is none.
 */
export function edgeAddress(api: EdgeApi): { url: URL; headers: Readonly<Record<string, string>> } {
  const url = new URL(api.url);
  const isApart = api.user !== undefined && api.user !== '';
  const user = isApart ? api.user : decodeURIComponent(url.username);
  const password = isApart ? (api.password ?? '') : decodeURIComponent(url.password);
  url.username = '';
  url.password = '';
  const credentials = Buffer.from(`${user}:${password}`).toString('base64');
  return { url, headers: user === '' ? {} : { authorization: `Basic ${credentials}` } };
}

/** Follows no redirect. Rejects with EdgeCallError: no connection, too late, too large, or ended early. */
export async function callEdge(request: EdgeRequest, limits: CallLimits): Promise<EdgeAnswer> {
  const { timeout, signal } = limits;
  const late = AbortSignal.timeout(timeout);
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      body: request.body,
      redirect: 'manual',
      signal: signal === undefined ? late : AbortSignal.any([late, signal]),
    });
    return { status: response.status, body: await bodyOf(response, limits.maxBytes) };
  } catch (error) {
    throw new EdgeCallError(placeOf(request.url), reasonOf(error, timeout), { cause: error });
  }
}

/** For people: the address without its query, which may hold a secret. */
export function placeOf(url: string): string {
  return url.split(/[?#]/, 1)[0]!;
}

/** Why a call went wrong, for people, without the address. */
export function troubleOf(error: unknown): string {
  if (error instanceof EdgeCallError) return error.reason;
  return error instanceof Error ? error.message : 'failed';
}

async function bodyOf(response: Response, maxBytes: number): Promise<string> {
  if (maxBytes === 0) {
    await response.body?.cancel();
    return '';
  }
  const most = response.ok ? maxBytes : MAX_ERROR_BODY;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    size += bytes.length;
    chunks.push(bytes);
    if (size <= most) continue;
    if (response.ok) throw new Error(`over ${most} bytes`);
    break;
  }
  return Buffer.concat(chunks).subarray(0, most).toString('utf8');
}

function reasonOf(error: unknown, timeout: number): string {
  const { name, message, cause } = describe(error);
  if (name === 'TimeoutError') return `no answer within ${timeout} ms`;
  if (name === 'AbortError') return 'ended before it answered';
  // fetch hides what happened behind "fetch failed".
  return describe(cause).message ?? message ?? 'failed';
}

/** By its shape: an error of the platform's own fetch need not be an Error of this realm. */
function describe(error: unknown): { name?: string; message?: string; cause?: unknown } {
  return typeof error === 'object' && error !== null ? error : {};
}
