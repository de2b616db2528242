import type { Clock, Session, SessionName } from '#usher/domain';
import { readSessionList } from '../presence/listed-session.js';
import type { ListedSession } from '../presence/listed-session.js';
import { findListed } from '../presence/match-sessions.js';
import { failedBy } from './answer-status.js';
import { CUT, failedForGood, failedForNow, GONE } from './cut-result.js';
import type { CutResult } from './cut-result.js';
import type { Cutter, CutResults } from './cutter.js';
import { callEdge, troubleOf } from './edge-call.js';
import type { EdgeAnswer, EdgeApi } from './edge-call.js';
import { controlAddress } from './control-address.js';
import { oneByOne } from './one-by-one.js';

const MAX_LIST = 32 * 1024 * 1024;
const LIST = '{"cmd":"sessions"}';

export interface AstraCutterParts {
  readonly clock: Clock;
  /** The session that lives under a name, whoever's it is: one that is listed under its own id is not taken for another. */
  readonly read: (name: SessionName) => Promise<Session | undefined>;
  /** For each request, ms. Default 3,000. */
  readonly timeout?: number;
}

/**
 * Cuts at an Astra: POST /control/ {"cmd":"close-session","id":"…"} with basic auth (Astra's API documentation). The id
 * is that of its own list, which is read first; UNVERIFIED: that it is our session's id (see matchSessions), and what is
 * answered. So the list is read again afterwards: cut is what it does not name any more. Of a page of sessions the list is
 * read once before and once after.
 */
export class AstraCutter implements Cutter {
  readonly #address: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeout: number;

  /** Throws where the address is none. */
  constructor(
    api: EdgeApi,
    private readonly parts: AstraCutterParts,
  ) {
    const { address, headers } = controlAddress(api);
    this.#address = address;
    this.#headers = headers;
    this.#timeout = parts.timeout ?? 3_000;
  }

  async cut(session: Session, signal: AbortSignal): Promise<CutResult> {
    const [result] = await this.cutAll([session], signal);
    return result ?? failedForNow(`${this.#address}: not come to`);
  }

  async cutAll(sessions: readonly Session[], signal: AbortSignal): Promise<CutResults> {
    const listed = await this.#safely(() => this.#list(signal));
    if (isFailure(listed)) return sessions.map(() => listed);
    const results = await oneByOne(sessions, (session) =>
      this.#safely(() => this.#closeListed(session, listed, signal)),
    );
    const left = results.some(isTold) ? await this.#safely(() => this.#list(signal)) : [];
    const stillThere = isFailure(left) ? left : new Set(left.map(({ id }) => id));
    return results.map((result) => (isTold(result) ? this.#afterwards(result, stillThere) : result));
  }

  async #closeListed(
    session: Session,
    listed: readonly ListedSession[],
    signal: AbortSignal,
  ): Promise<Told | CutResult> {
    const [id, another] = await this.#idsOf(session, listed);
    if (id === undefined) return GONE;
    // Whoever is cut by mistake is a paying viewer.
    if (another !== undefined) return failedForGood(`${this.#address}: two of its sessions may be this one`);
    return this.#close(id, signal);
  }

  /** By the ids that the edge lists now, or why they could not be had. */
  #afterwards({ id }: Told, listed: ReadonlySet<string | undefined> | CutResult): CutResult {
    if ('kind' in listed) return listed;
    return listed.has(id)
      ? failedForNow(`${this.#address}: told to close the session, it lists it still`)
      : CUT;
  }

  async #safely<T>(ask: () => Promise<T>): Promise<T | CutResult> {
    try {
      return await ask();
    } catch (error) {
      return failedForNow(`${this.#address}: ${troubleOf(error)}`);
    }
  }

  /** The ids by which the edge may mean this session. */
  async #idsOf(session: Session, listed: readonly ListedSession[]): Promise<string[]> {
    const { same, alike } = findListed(listed, session, this.parts.clock.now());
    if (same !== undefined) return [same];
    const { edge, channel, ip } = session;
    const free = await Promise.all(
      alike.map(async (sessionId) => {
        const other = await this.parts.read({ edge, sessionId });
        return other === undefined || other.channel !== channel || other.ip !== ip;
      }),
    );
    return alike.filter((_, at) => free[at]);
  }

  async #close(id: string, signal: AbortSignal): Promise<Told | CutResult> {
    const order = JSON.stringify({ cmd: 'close-session', id: Buffer.from(id, 'latin1').toString('utf8') });
    const { status } = await this.#ask(order, signal);
    if (status === 404) return GONE;
    return status === 200 ? { kind: 'told', id } : failedBy(status, this.#address);
  }

  async #list(signal: AbortSignal): Promise<ListedSession[] | CutResult> {
    const { status, body } = await this.#ask(LIST, signal);
    if (status !== 200) return failedBy(status, this.#address);
    return readSessionList(parsed(body)) ?? failedForNow(`${this.#address}: the answer is no session list`);
  }

  #ask(body: string, signal: AbortSignal): Promise<EdgeAnswer> {
    const request = { method: 'POST', url: this.#address, headers: this.#headers, body };
    return callEdge(request, { timeout: this.#timeout, maxBytes: MAX_LIST, signal });
  }
}

/** It was told to close the session that has this id there. */
interface Told {
  readonly kind: 'told';
  readonly id: string;
}

function isTold(result: Told | CutResult | undefined): result is Told {
  return result?.kind === 'told';
}

function isFailure(answer: ListedSession[] | CutResult): answer is CutResult {
  return !Array.isArray(answer);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
