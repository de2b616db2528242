import type { Session } from '#usher/domain';
import { isObject } from '../presence/listed-session.js';
import { failedBy } from './answer-status.js';
import { CUT, failedForGood, failedForNow, GONE } from './cut-result.js';
import type { CutResult } from './cut-result.js';
import type { Cutter, CutResults } from './cutter.js';
import { callEdge, edgeAddress, troubleOf } from './edge-call.js';
import type { EdgeAnswer, EdgeApi } from './edge-call.js';
import { oneByOne } from './one-by-one.js';

/** Newer versions spell them /v3/hls/sessions/kick/ … and keep these (internal/api/api.go). The likeliest first. */
const KICKED = [
  'hlssessions',
  'webrtcsessions',
  'rtmpconns',
  'rtmpsconns',
  'srtconns',
  'rtspsessions',
  'rtspssessions',
  'moqsessions',
];
/** Where the sessions of a protocol are; what names none is looked for in all lists. Of RTSP see CONNECTIONS. */
const OF_PROTOCOL: Readonly<Record<string, readonly string[] | undefined>> = {
  hls: ['hlssessions'],
  webrtc: ['webrtcsessions'],
  rtmp: ['rtmpconns', 'rtmpsconns'],
  srt: ['srtconns'],
  moq: ['moqsessions'],
  rtsp: [],
};
/** Where its id is that of a connection, and a session is kicked. */
const CONNECTIONS = [
  ['rtspconns', 'rtspsessions'],
  ['rtspsconns', 'rtspssessions'],
] as const;
const MAX_BODY = 4 * 1024 * 1024;
const PER_PAGE = 1_000;
const MAX_PAGES = 20;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface MediaMtxCutterOptions {
  /** For each request, ms. Default 3,000. */
  readonly timeout?: number;
}

/**
 * Cuts at a MediaMTX: POST /v3/<kind>/kick/<id> with the id that its question named. The question's protocol says in which
 * of these lists the id probably is, and the others are tried after it; ids are UUIDs, no two are one. Of RTSP the question
 * names the connection (internal/servers/rtsp/session.go), and the session must be looked up.
 */
export class MediaMtxCutter implements Cutter {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeout: number;

  /** Throws where the address is none. */
  constructor(api: EdgeApi, { timeout = 3_000 }: MediaMtxCutterOptions = {}) {
    const { url, headers } = edgeAddress(api);
    this.#base = `${url.origin}${url.pathname.replace(/\/(v3\/?)?$/, '')}/v3`;
    this.#headers = headers;
    this.#timeout = timeout;
  }

  async cut({ sessionId, protocol = '' }: Session, signal: AbortSignal): Promise<CutResult> {
    if (!UUID.test(sessionId))
      return failedForGood('MediaMTX gave this session no id by which it could be kicked');
    try {
      return await this.#kickAnywhere(sessionId.toLowerCase(), protocol, signal);
    } catch (error) {
      return failedForNow(`${this.#base}: ${troubleOf(error)}`);
    }
  }

  cutAll(sessions: readonly Session[], signal: AbortSignal): Promise<CutResults> {
    return oneByOne(sessions, (session) => this.cut(session, signal));
  }

  async #kickAnywhere(id: string, protocol: string, signal: AbortSignal): Promise<CutResult> {
    const likely = Object.hasOwn(OF_PROTOCOL, protocol) ? OF_PROTOCOL[protocol] : undefined;
    const others = KICKED.filter((kind) => likely?.includes(kind) !== true);
    let isKnown = false;
    const kickIn = async (kinds: readonly string[]): Promise<CutResult | undefined> => {
      for (const kind of kinds) {
        const kicked = await this.#kick(kind, id, signal);
        if (kicked !== 'unknown' && kicked.kind !== 'gone') return kicked;
        isKnown ||= kicked !== 'unknown';
      }
      return undefined;
    };
    const byConnection = (): Promise<CutResult | undefined> => this.#kickByConnection(id, signal);
    const kicked =
      protocol === 'rtsp'
        ? ((await byConnection()) ?? (await kickIn(others)))
        : ((await kickIn([...(likely ?? []), ...others])) ?? (await byConnection()));
    if (kicked !== undefined) return kicked;
    return isKnown ? GONE : failedForGood(`${this.#base}: none of MediaMTX’s kick calls is known there`);
  }

  async #kickByConnection(id: string, signal: AbortSignal): Promise<CutResult | undefined> {
    for (const [connections, sessions] of CONNECTIONS) {
      const answer = await this.#ask('GET', `${connections}/get/${id}`, signal);
      if (answer.status === 200) return this.#kickOfConnection(answer, sessions, signal);
      if (answer.status !== 404) return failedBy(answer.status, this.#base);
    }
    return undefined;
  }

  /** `unknown`: this server has no such call, because the protocol is off there or the version is another. */
  async #kick(kind: string, id: string, signal: AbortSignal): Promise<CutResult | 'unknown'> {
    const answer = await this.#ask('POST', `${kind}/kick/${id}`, signal);
    if (answer.status === 404) return isNoSuchCall(answer) ? 'unknown' : GONE;
    return answer.status === 200 ? CUT : failedBy(answer.status, this.#base);
  }

  async #kickOfConnection(answer: EdgeAnswer, kind: string, signal: AbortSignal): Promise<CutResult> {
    const connection = parsed(answer.body);
    if (!isObject(connection)) return failedForNow(`${this.#base}: the answer is no connection`);
    const { session, remoteAddr } = connection;
    const id = session === undefined ? await this.#sessionFrom(remoteAddr, kind, signal) : session;
    // A connection without a session plays nothing.
    if (id === null) return GONE;
    if (typeof id !== 'string' || !UUID.test(id))
      return failedForNow(`${this.#base}: the answer is no connection`);
    const kicked = await this.#kick(kind, id, signal);
    return kicked === 'unknown' ? GONE : kicked;
  }

  /** Versions that do not say which session a connection has list both with the player's address and port. */
  async #sessionFrom(address: unknown, kind: string, signal: AbortSignal): Promise<unknown> {
    for (let page = 0; page < MAX_PAGES && typeof address === 'string'; page += 1) {
      const answer = await this.#ask('GET', `${kind}/list?itemsPerPage=${PER_PAGE}&page=${page}`, signal);
      const list = answer.status === 200 ? parsed(answer.body) : undefined;
      if (!isObject(list) || !Array.isArray(list['items'])) return undefined;
      const items = list['items'].filter(isObject);
      const found = items.find((item) => item['remoteAddr'] === address);
      if (found !== undefined) return found['id'];
      if (page + 1 >= Number(list['pageCount'] ?? 0)) return null;
    }
    return undefined;
  }

  #ask(method: string, path: string, signal: AbortSignal): Promise<EdgeAnswer> {
    const request = { method, url: `${this.#base}/${path}`, headers: this.#headers };
    return callEdge(request, { timeout: this.#timeout, maxBytes: MAX_BODY, signal });
  }
}

/** MediaMTX says {"error":…} of an id that it does not know (older versions say nothing), its router this text of a path. */
function isNoSuchCall({ body }: EdgeAnswer): boolean {
  const text = body.trim();
  return text !== '' && !isObject(parsed(text));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
